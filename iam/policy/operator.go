package policy

import (
	"maps"
	"slices"
	"strings"
)

// comparison is what an operator compares by.
type comparison uint8

const (
	compareString comparison = iota
	compareFold
	compareLike
	compareNumber
	compareDate
	compareBool
	compareBinary
	compareIP
	compareARN
	compareNull
)

// order is which numbers and dates an operator accepts, relative to its own.
type order uint8

const (
	equal order = iota
	less
	lessOrEqual
	greater
	greaterOrEqual
)

// holds reports whether a comparison's outcome is in the order.
func (o order) holds(outcome int) bool {
	switch o {
	case less:
		return outcome < 0
	case lessOrEqual:
		return outcome <= 0
	case greater:
		return outcome > 0
	case greaterOrEqual:
		return outcome >= 0
	}
	return outcome == 0
}

// quantifier says of which of a key's values an operator must hold.
type quantifier uint8

const (
	forOne quantifier = iota // keys with one value; of several any
	forAll                   // ForAllValues: every value of the request, if any
	forAny                   // ForAnyValue: at least one
)

// operator is a condition operator with its prefix and suffix.
type operator struct {
	compare    comparison
	order      order
	negated    bool
	ifExists   bool
	quantifier quantifier
}

var operators = map[string]operator{
	"StringEquals":              {compare: compareString},
	"StringNotEquals":           {compare: compareString, negated: true},
	"StringEqualsIgnoreCase":    {compare: compareFold},
	"StringNotEqualsIgnoreCase": {compare: compareFold, negated: true},
	"StringLike":                {compare: compareLike},
	"StringNotLike":             {compare: compareLike, negated: true},
	"NumericEquals":             {compare: compareNumber},
	"NumericNotEquals":          {compare: compareNumber, negated: true},
	"NumericLessThan":           {compare: compareNumber, order: less},
	"NumericLessThanEquals":     {compare: compareNumber, order: lessOrEqual},
	"NumericGreaterThan":        {compare: compareNumber, order: greater},
	"NumericGreaterThanEquals":  {compare: compareNumber, order: greaterOrEqual},
	"DateEquals":                {compare: compareDate},
	"DateNotEquals":             {compare: compareDate, negated: true},
	"DateLessThan":              {compare: compareDate, order: less},
	"DateLessThanEquals":        {compare: compareDate, order: lessOrEqual},
	"DateGreaterThan":           {compare: compareDate, order: greater},
	"DateGreaterThanEquals":     {compare: compareDate, order: greaterOrEqual},
	"Bool":                      {compare: compareBool},
	"BinaryEquals":              {compare: compareBinary},
	"IpAddress":                 {compare: compareIP},
	"NotIpAddress":              {compare: compareIP, negated: true},
	"ArnEquals":                 {compare: compareARN},
	"ArnNotEquals":              {compare: compareARN, negated: true},
	"ArnLike":                   {compare: compareARN},
	"ArnNotLike":                {compare: compareARN, negated: true},
	"Null":                      {compare: compareNull},
}

const (
	allPrefix    = "ForAllValues:"
	anyPrefix    = "ForAnyValue:"
	existsSuffix = "IfExists"
)

// parseOperator reads an operator's name, prefix and suffix included. Null
// takes neither: it asks for the key itself.
func parseOperator(name string) (operator, bool) {
	quantifier := forOne
	bare := name
	if rest, ok := strings.CutPrefix(name, allPrefix); ok {
		quantifier, bare = forAll, rest
	} else if rest, ok := strings.CutPrefix(name, anyPrefix); ok {
		quantifier, bare = forAny, rest
	}
	bare, ifExists := strings.CutSuffix(bare, existsSuffix)
	op, ok := operators[bare]
	if !ok || op.compare == compareNull && bare != name {
		return operator{}, false
	}
	op.quantifier, op.ifExists = quantifier, ifExists
	return op, true
}

// operatorNames returns the operators that a misspelt one may have meant, with
// the prefix and the suffix that it has.
func operatorNames(misspelt string) []string {
	prefix, suffix := "", ""
	for _, p := range []string{allPrefix, anyPrefix} {
		if len(misspelt) > len(p) && strings.EqualFold(misspelt[:len(p)], p) {
			prefix = p
		}
	}
	if strings.HasSuffix(strings.ToLower(misspelt), strings.ToLower(existsSuffix)) {
		suffix = existsSuffix
	}
	names := slices.Sorted(maps.Keys(operators))
	for i, name := range names {
		if name != "Null" {
			names[i] = prefix + name + suffix
		}
	}
	return names
}

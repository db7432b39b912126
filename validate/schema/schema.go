package schema

import (
	"regexp"

	"gatehouse/validate/jsondoc"
)

// types is a set of JSON types.
type types uint8

const (
	typeNull types = 1 << iota
	typeBoolean
	typeInteger
	typeNumber
	typeString
	typeArray
	typeObject

	anyType types = 0 // a schema without types
)

func (t types) String() string {
	names := [...]string{"null", "boolean", "integer", "number", "string", "array", "object"}
	text := ""
	for i, name := range names {
		if t&(1<<i) == 0 {
			continue
		}
		if text != "" {
			text += " or "
		}
		text += name
	}
	return text
}

func typeOf(name string) types {
	switch name {
	case "null":
		return typeNull
	case "boolean":
		return typeBoolean
	case "integer":
		return typeInteger
	case "number":
		return typeNumber
	case "string":
		return typeString
	case "array":
		return typeArray
	case "object":
		return typeObject
	}
	return 0
}

// Schema is a schema compiled. It is immutable once its Compiler has ended, and
// safe for concurrent use. Parts that few schemas have stand behind pointers.
type Schema struct {
	never    bool // the schema false
	types    types
	nullable bool // null is taken, whatever the rest says
	ref      *Schema

	constant *constants
	number   *numbers
	text     *texts
	array    *arrays
	object   *objects
	logic    *logic
}

// constants are enum and const.
type constants struct {
	words map[string]bool // of strings alone; else nil
	doc   *jsondoc.Doc
	nodes []uint32
	only  bool // const
}

type numbers struct {
	min, max                   *bound
	multiple                   *jsondoc.Decimal
	multipleText               string
	bits                       int // of int32 and int64; 0 for none
	minExclusive, maxExclusive bool
}

type bound struct {
	value jsondoc.Decimal
	text  string
}

type texts struct {
	min, max    int // in code points; max is -1 for none
	pattern     *regexp.Regexp
	patternCost int // steps for a text of 32 bytes
	format      func([]byte) bool
	formatName  string
}

type arrays struct {
	min, max    int
	unique      bool
	prefix      []*Schema
	items       *Schema
	contains    *Schema
	minContains int
	maxContains int // -1 for none
	unevaluated *Schema
}

type objects struct {
	min, max    int
	members     map[string]member
	required    []string
	patterns    []patterned
	additional  *Schema // nil for anything
	names       *Schema
	dependents  []dependent
	unevaluated *Schema
}

// member is what is said of a name: its schema, and its place among the
// required ones, from 1.
type member struct {
	schema   *Schema
	required int
}

type patterned struct {
	pattern *regexp.Regexp
	cost    int
	schema  *Schema
}

// dependent is what holds where a member is there.
type dependent struct {
	name     string
	required []string
	schema   *Schema
}

type logic struct {
	all           []*Schema
	any           []*Schema
	one           []*Schema
	not           *Schema
	cond          *Schema
	then, or      *Schema
	discriminator *discriminator
}

// discriminator says by a member's text which schema holds.
type discriminator struct {
	name  string
	cases map[string]*Schema
}

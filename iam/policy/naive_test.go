package policy

import (
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/netip"
	"strings"
	"time"
)

// naive decides by the rules as they are written, with no thought of cost. It
// shares no code with the package: documents are JSON as the standard library
// reads it, a request is a map of texts.

type naiveDoc map[string]any

type naiveCase struct {
	organisation, identity      []naiveDoc
	resource, boundary, session naiveDoc // nil for none
	user, role, account         string   // ARN of the user or session, ARN of its role; "" for a stranger
	service                     string
	action, target, owner       string
	context                     map[string][]string // by keys in small letters
}

func readNaive(text string) naiveDoc {
	if text == "" {
		return nil
	}
	var doc naiveDoc
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&doc); err != nil {
		panic(err)
	}
	return doc
}

func asList(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

func asText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		if v {
			return "true"
		}
		return "false"
	case json.Number:
		return v.String()
	}
	panic("naive: what is this?")
}

// decide returns "explicit", "implicit" or "allow".
func (c *naiveCase) decide() string {
	known := c.user != ""
	all := []naiveDoc{c.resource}
	if known {
		all = append(all, c.organisation...)
		all = append(all, c.identity...)
		all = append(all, c.boundary, c.session)
	}
	for _, doc := range all {
		if c.effectOf(doc, "Deny") > 0 {
			return "explicit"
		}
	}
	byResource := c.effectOf(c.resource, "Allow")
	if !known {
		if byResource > 0 {
			return "allow"
		}
		return "implicit"
	}
	for _, doc := range c.organisation {
		if c.effectOf(doc, "Allow") == 0 {
			return "implicit"
		}
	}
	byIdentity := false
	for _, doc := range c.identity {
		byIdentity = byIdentity || c.effectOf(doc, "Allow") > 0
	}
	within := (c.boundary == nil || c.effectOf(c.boundary, "Allow") > 0) && (c.session == nil || c.effectOf(c.session, "Allow") > 0)
	granted := false
	if c.account == c.owner {
		granted = byResource == 3 || (byResource == 2 || byIdentity) && within
	} else {
		granted = byResource > 0 && byIdentity && within
	}
	if granted {
		return "allow"
	}
	return "implicit"
}

// effectOf returns how much statements with an effect say about the request: 0
// nothing; else 1 where they name the account, 2 the role or everybody to a
// session, 3 the caller itself.
func (c *naiveCase) effectOf(doc naiveDoc, effect string) int {
	most := 0
	version, _ := doc["Version"].(string)
	for _, item := range asList(doc["Statement"]) {
		s := item.(map[string]any)
		if s["Effect"] == effect && c.about(s, version == "2012-10-17") {
			most = max(most, c.names(s))
		}
	}
	return most
}

func (c *naiveCase) about(s map[string]any, variables bool) bool {
	if actions, ok := s["Action"]; ok && !c.anyAction(actions) {
		return false
	}
	if actions, ok := s["NotAction"]; ok && c.anyAction(actions) {
		return false
	}
	if resources, ok := s["Resource"]; ok && !c.anyResource(resources, variables) {
		return false
	}
	if resources, ok := s["NotResource"]; ok {
		if c.anyResource(resources, variables) {
			return false
		}
		if s["Effect"] == "Allow" && variables {
			for _, r := range asList(resources) {
				if _, ok := c.tokens(asText(r), true, true); !ok {
					return false
				}
			}
		}
	}
	conditions, _ := s["Condition"].(map[string]any)
	for operator, keys := range conditions {
		for key, wanted := range keys.(map[string]any) {
			if !c.condition(operator, key, asList(wanted), variables) {
				return false
			}
		}
	}
	return true
}

func (c *naiveCase) names(s map[string]any) int {
	if p, ok := s["Principal"]; ok {
		return c.named(p)
	}
	if p, ok := s["NotPrincipal"]; ok {
		if c.named(p) == 3 { // by itself: neither its account nor its role counts
			return 0
		}
		return 3
	}
	return 3
}

func (c *naiveCase) named(p any) int {
	everybody := 3
	if c.role != "" {
		everybody = 2
	}
	if p == "*" {
		return everybody
	}
	most := 0
	for _, v := range asList(p.(map[string]any)["AWS"]) {
		who, _ := v.(string)
		switch {
		case who == "*":
			most = max(most, everybody)
		case c.user == "":
		case who == c.user:
			most = max(most, 3)
		case who == c.role:
			most = max(most, 2)
		case who == c.account || who == "arn:aws:iam::"+c.account+":root":
			most = max(most, 1)
		}
	}
	for _, v := range asList(p.(map[string]any)["Service"]) {
		if c.service != "" && v == c.service {
			most = 3
		}
	}
	return most
}

func (c *naiveCase) anyAction(list any) bool {
	for _, v := range asList(list) {
		tokens, _ := c.tokens(strings.ToLower(asText(v)), true, false)
		if glob(tokens, []rune(strings.ToLower(c.action))) {
			return true
		}
	}
	return false
}

func (c *naiveCase) anyResource(list any, variables bool) bool {
	for _, v := range asList(list) {
		if text := asText(v); text == "*" || c.arn(text, c.target, variables) {
			return true
		}
	}
	return false
}

// arn compares part by part.
func (c *naiveCase) arn(pattern, target string, variables bool) bool {
	parts := strings.SplitN(target, ":", 6)
	if len(parts) < 6 {
		return false
	}
	if pattern == "*" {
		return true
	}
	tokens, ok := c.tokens(pattern, true, variables)
	if !ok {
		return false
	}
	for i, part := range parts {
		mine := tokens
		if i < 5 {
			end := -1
			for j, t := range tokens {
				if t.text == ':' && t.written {
					end = j
					break
				}
			}
			if end < 0 {
				return false
			}
			mine, tokens = tokens[:end], tokens[end+1:]
		}
		if !glob(mine, []rune(part)) {
			return false
		}
	}
	return true
}

type naiveToken struct {
	star, one bool
	text      rune
	written   bool // in the pattern itself, not by a variable
}

// tokens reads a pattern, its variables replaced; false where one has no value.
func (c *naiveCase) tokens(pattern string, wildcards, variables bool) (out []naiveToken, ok bool) {
	runes := []rune(pattern)
	for i := 0; i < len(runes); i++ {
		switch {
		case wildcards && runes[i] == '*':
			out = append(out, naiveToken{star: true})
		case wildcards && runes[i] == '?':
			out = append(out, naiveToken{one: true})
		case variables && runes[i] == '$' && i+1 < len(runes) && runes[i+1] == '{':
			end := i
			for runes[end] != '}' {
				end++
			}
			name := string(runes[i+2 : end])
			i = end
			if name == "*" || name == "?" || name == "$" {
				out = append(out, naiveToken{text: []rune(name)[0], written: true})
				continue
			}
			name, fallback, defaulted := strings.Cut(name, ",")
			found := c.context[strings.ToLower(strings.TrimSpace(name))]
			value := strings.Trim(strings.TrimSpace(fallback), "'")
			switch {
			case len(found) == 1:
				value = found[0]
			case len(found) == 0 && defaulted:
			default:
				return nil, false
			}
			for _, r := range value {
				out = append(out, naiveToken{text: r})
			}
		default:
			out = append(out, naiveToken{text: runes[i], written: true})
		}
	}
	return out, true
}

func glob(pattern []naiveToken, text []rune) bool {
	if len(pattern) == 0 {
		return len(text) == 0
	}
	first := pattern[0]
	if first.star {
		for i := 0; i <= len(text); i++ {
			if glob(pattern[1:], text[i:]) {
				return true
			}
		}
		return false
	}
	return len(text) > 0 && (first.one || first.text == text[0]) && glob(pattern[1:], text[1:])
}

func (c *naiveCase) condition(operator, key string, wanted []any, variables bool) bool {
	given := c.context[strings.ToLower(key)]
	if operator == "Null" {
		for _, w := range wanted {
			if strings.EqualFold(asText(w), "true") == (len(given) == 0) {
				return true
			}
		}
		return false
	}
	all, any := strings.HasPrefix(operator, "ForAllValues:"), strings.HasPrefix(operator, "ForAnyValue:")
	operator = strings.TrimPrefix(strings.TrimPrefix(operator, "ForAllValues:"), "ForAnyValue:")
	optional := strings.HasSuffix(operator, "IfExists")
	operator = strings.TrimSuffix(operator, "IfExists")
	negated := strings.Contains(operator, "Not")
	operator = strings.Replace(operator, "Not", "", 1)
	fits := func(value string) bool { // as the operator says, negation included
		hit := false
		for _, w := range wanted {
			hit = hit || c.compare(operator, asText(w), value, variables)
		}
		return hit != negated
	}
	if len(given) == 0 {
		return optional || all || negated && !any
	}
	good := 0
	for _, value := range given {
		if fits(value) {
			good++
		}
	}
	switch {
	case all || negated && !any:
		return good == len(given)
	}
	return good > 0
}

func (c *naiveCase) compare(operator, want, value string, variables bool) bool {
	switch operator {
	case "StringEquals", "StringEqualsIgnoreCase":
		tokens, ok := c.tokens(want, false, variables)
		text := ""
		for _, t := range tokens {
			text += string(t.text)
		}
		if operator == "StringEqualsIgnoreCase" {
			return ok && strings.EqualFold(text, value)
		}
		return ok && text == value
	case "StringLike":
		tokens, ok := c.tokens(want, true, variables)
		return ok && glob(tokens, []rune(value))
	case "ArnEquals", "ArnLike":
		return c.arn(want, value, variables)
	case "Bool":
		return (strings.EqualFold(value, "true") || strings.EqualFold(value, "false")) && strings.EqualFold(want, value)
	case "BinaryEquals":
		a, _ := base64.StdEncoding.DecodeString(want)
		b, err := base64.StdEncoding.DecodeString(value)
		return err == nil && string(a) == string(b)
	case "IpAddress":
		return naiveIP(want, value)
	}
	if rest, ok := strings.CutPrefix(operator, "Numeric"); ok {
		if strings.ContainsAny(value, "/eE_") { // forms of big.Rat that are no number here
			return false
		}
		a, okA := new(big.Rat).SetString(want)
		b, okB := new(big.Rat).SetString(value)
		return okA && okB && naiveOrder(rest, b.Cmp(a))
	}
	a, okA := naiveDate(want)
	b, okB := naiveDate(value)
	return okA && okB && naiveOrder(strings.TrimPrefix(operator, "Date"), b.Compare(a))
}

func naiveOrder(name string, outcome int) bool {
	switch name {
	case "Equals":
		return outcome == 0
	case "LessThan":
		return outcome < 0
	case "LessThanEquals":
		return outcome <= 0
	case "GreaterThan":
		return outcome > 0
	case "GreaterThanEquals":
		return outcome >= 0
	}
	panic("naive: the operator " + name)
}

func naiveIP(want, value string) bool {
	a, err := netip.ParseAddr(value)
	if err != nil {
		return false
	}
	if !strings.Contains(want, "/") {
		b, err := netip.ParseAddr(want)
		return err == nil && a.Unmap() == b.Unmap()
	}
	p, err := netip.ParsePrefix(want)
	return err == nil && p.Contains(a.Unmap())
}

func naiveDate(text string) (time.Time, bool) {
	if text != "" && len(text) != 4 && strings.Trim(text, "0123456789") == "" {
		seconds, _ := new(big.Int).SetString(text, 10)
		return time.Unix(seconds.Int64(), 0), true
	}
	for _, form := range []string{"2006", "2006-01-02", time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

package aws

import (
	"slices"
	"strings"
	"time"

	"gatehouse/config"
	"gatehouse/waf/field"
	"gatehouse/waf/match"
	"gatehouse/waf/text"
)

// statement turns a statement into one of ours. What cannot be is reported, and nil
// stands for it.
func (r *reader) statement(s *statement) *match.Statement {
	if s == nil {
		return nil
	}
	return &match.Statement{Pos: s.Pos, Node: r.node(s)}
}

func (r *reader) node(s *statement) match.Node {
	switch {
	case s.And != nil:
		return match.All(r.several(s.And))
	case s.Or != nil:
		return match.Any(r.several(s.Or))
	case s.Not != nil:
		return match.Not{Statement: r.statement(s.Not.Statement)}
	case s.IPSet != nil:
		return &match.IPSet{Name: nameOf(s.IPSet.ARN), From: source(s.IPSet.Forwarded)}
	case s.Geo != nil:
		return &match.Country{Codes: s.Geo.Codes, From: source(s.Geo.Forwarded)}
	case s.LabelMatch != nil:
		return r.label(s.LabelMatch)
	case s.Rate != nil:
		return r.rate(s.Rate)
	}
	return r.content(s)
}

func (r *reader) several(s *several) (out []*match.Statement) {
	for i := range s.Statements {
		out = append(out, r.statement(&s.Statements[i]))
	}
	return out
}

// content turns the statements that inspect a field.
func (r *reader) content(s *statement) match.Node {
	switch {
	case s.ByteMatch != nil:
		m := s.ByteMatch
		return r.test(&m.Field, m.Transforms, &match.Bytes{Position: positions(m.Position), Strings: []string{r.search(m)}})
	case s.Regex != nil:
		return r.test(&s.Regex.Field, s.Regex.Transforms, &match.Regexes{Patterns: []string{s.Regex.Regex}})
	case s.RegexSet != nil:
		return r.test(&s.RegexSet.Field, s.RegexSet.Transforms, &match.RegexSet{Name: nameOf(s.RegexSet.ARN)})
	case s.SQLi != nil:
		return r.test(&s.SQLi.Field, s.SQLi.Transforms, &match.SQLi{High: s.SQLi.Sensitivity == "HIGH"})
	case s.XSS != nil:
		return r.test(&s.XSS.Field, s.XSS.Transforms, match.XSS{})
	case s.Size != nil:
		return r.test(&s.Size.Field, s.Size.Transforms, &match.Size{Operator: operators(s.Size.Operator), Bytes: s.Size.Size})
	}
	r.refuse(s)
	return nil
}

// refuse says of a statement why it cannot be imported.
func (r *reader) refuse(s *statement) {
	switch {
	case s.Managed != nil:
		r.doc.Hint(s.Managed.Pos, "leave the rule out by import: {files: FILE, without: [NAME]}, and write a rule with core-rule-set into rules", "the rules of the managed rule group %s are AWS's own", s.Managed.Name)
	case s.ASN != nil:
		r.doc.Hint(s.Of("AsnMatchStatement"), "write an ip set of the network's addresses", "nothing here knows the autonomous systems of addresses")
	case s.Group != nil:
		r.doc.Errorf(s.Group.Pos, "a rule group stands in a rule by itself")
	case !r.partial:
		r.doc.Errorf(s.Pos, "the statement is empty")
	}
}

func (r *reader) test(f *fieldModel, transforms []transform, t match.Test) match.Node {
	return &match.Content{Field: r.field(f), Chain: r.chain(transforms), Tests: []match.Test{t}}
}

func (r *reader) chain(list []transform) (out text.Chain) {
	slices.SortStableFunc(list, func(a, b transform) int { return a.Priority - b.Priority })
	for _, t := range list {
		kind, ok := text.ParseAWS(t.Type)
		if !ok {
			r.doc.Errorf(t.Of("Type"), "there is no text transformation %q", t.Type)
		}
		out = append(out, kind)
	}
	return out
}

func positions(name string) match.Position {
	return match.Position(slices.Index([]string{"EXACTLY", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "CONTAINS_WORD"}, name))
}

func operators(name string) match.Operator {
	return match.Operator(slices.Index([]string{"EQ", "NE", "LE", "LT", "GE", "GT"}, name))
}

func source(f *forwarded) match.Source {
	if f == nil {
		return match.Source{}
	}
	s := match.Source{Header: f.Header, Missing: f.Fallback == "MATCH", Present: true}
	switch f.Position {
	case "LAST":
		s.Place = match.Last
	case "ANY":
		s.Place = match.Every
	}
	return s
}

func (r *reader) label(m *labelMatch) match.Node {
	if strings.HasPrefix(m.Key, "awswaf:managed:") {
		r.doc.Hint(m.Of("Key"), "core-rule-set sets labels of its own, below gatehouse:crs:", "nobody sets the labels of AWS's managed rule groups here")
	}
	return &match.Label{Key: m.Key, Namespace: m.Scope == "NAMESPACE"}
}

// field turns a FieldToMatch. Oversize handling is CONTINUE where AWS has none.
func (r *reader) field(f *fieldModel) field.Spec {
	switch {
	case f.Header != nil:
		return field.Spec{Kind: field.Header, Name: strings.ToLower(f.Header.Name)}
	case f.Argument != nil:
		return field.Spec{Kind: field.Argument, Name: strings.ToLower(f.Argument.Name)}
	case f.Arguments != nil:
		return field.Spec{Kind: field.Arguments}
	case f.Path != nil:
		return field.Spec{Kind: field.Path}
	case f.Query != nil:
		return field.Spec{Kind: field.Query}
	case f.Method != nil:
		return field.Spec{Kind: field.Method}
	case f.Body != nil:
		return field.Spec{Kind: field.Body, Over: handlings(f.Body.Handling)}
	case f.JSON != nil:
		return jsonSpec(f.JSON)
	case f.Headers != nil, f.Cookies != nil:
		return pairsSpec(f)
	case f.Order != nil:
		return field.Spec{Kind: field.HeaderOrder, Over: handlings(f.Order.Handling)}
	case f.JA3 != nil:
		return field.Spec{Kind: field.JA3, Missing: handlings(f.JA3.Behavior)}
	case f.JA4 != nil:
		return field.Spec{Kind: field.JA4, Missing: handlings(f.JA4.Behavior)}
	case f.Fragment != nil:
		r.doc.Errorf(f.Of("UriFragment"), "clients send no fragments: nothing could be inspected")
	case !r.partial:
		r.doc.Errorf(f.Pos, "FieldToMatch says no field")
	}
	return field.Spec{}
}

func jsonSpec(m *jsonBody) field.Spec {
	s := field.Spec{Kind: field.JSON, Scope: scopes(m.Scope), Include: m.Pattern.Paths, Over: handlings(m.Handling)}
	switch m.Invalid {
	case "MATCH":
		s.Invalid = field.InvalidMatch
	case "NO_MATCH":
		s.Invalid = field.InvalidNoMatch
	case "EVALUATE_AS_STRING":
		s.Invalid = field.InvalidText
	}
	return s
}

func pairsSpec(f *fieldModel) field.Spec {
	s, m := field.Spec{Kind: field.Cookies}, f.Cookies
	if m == nil {
		s.Kind, m = field.Headers, f.Headers
	}
	s.Scope, s.Over = scopes(m.Scope), handlings(m.Handling)
	s.Include = slices.Concat(lower(m.Pattern.IncludedHeaders), m.Pattern.IncludedCookies)
	s.Exclude = slices.Concat(lower(m.Pattern.ExcludedHeaders), m.Pattern.ExcludedCookies)
	return s
}

func lower(list []string) (out []string) {
	for _, s := range list {
		out = append(out, strings.ToLower(s))
	}
	return out
}

func handlings(name string) field.Handling {
	switch name {
	case "MATCH":
		return field.Match
	case "NO_MATCH":
		return field.NoMatch
	}
	return field.Continue
}

func scopes(name string) field.Scope {
	switch name {
	case "KEY":
		return field.Keys
	case "VALUE":
		return field.Values
	}
	return field.Both
}

// rate turns a rate-based statement.
func (r *reader) rate(m *rateBased) match.Node {
	out := &match.RateBased{Limit: m.Limit, Window: time.Duration(m.Window) * time.Second, When: r.statement(m.Scope)}
	switch m.KeyType {
	case "IP":
		out.Keys = []match.Key{{IP: true}}
	case "FORWARDED_IP":
		out.Keys = []match.Key{{IP: true, From: r.forwarded(m, m.Pos)}}
	case "CONSTANT":
		out.Keys = []match.Key{{Constant: true}}
	default:
		for i := range m.Keys {
			out.Keys = append(out.Keys, r.key(&m.Keys[i], m))
		}
		if len(out.Keys) == 0 {
			r.doc.Errorf(m.Pos, "CUSTOM_KEYS wants CustomKeys")
		}
	}
	return out
}

func (r *reader) forwarded(m *rateBased, at config.Pos) match.Source {
	if m.Forwarded == nil {
		r.doc.Errorf(at, "a key by the forwarded address wants ForwardedIPConfig")
	}
	return source(m.Forwarded)
}

func (r *reader) key(k *key, m *rateBased) match.Key {
	of := func(s field.Spec, transforms []transform) match.Key {
		return match.Key{Field: &s, Chain: r.chain(transforms)}
	}
	switch {
	case k.Header != nil:
		return of(field.Spec{Kind: field.Header, Name: strings.ToLower(k.Header.Name)}, k.Header.Transforms)
	case k.Cookie != nil:
		return of(field.Spec{Kind: field.Cookies, Include: []string{k.Cookie.Name}, Scope: field.Values}, k.Cookie.Transforms)
	case k.Argument != nil:
		return of(field.Spec{Kind: field.Argument, Name: strings.ToLower(k.Argument.Name)}, k.Argument.Transforms)
	case k.Query != nil:
		return of(field.Spec{Kind: field.Query}, k.Query.Transforms)
	case k.Path != nil:
		return of(field.Spec{Kind: field.Path}, k.Path.Transforms)
	case k.Method != nil:
		return of(field.Spec{Kind: field.Method}, nil)
	case k.JA3 != nil:
		return of(field.Spec{Kind: field.JA3, Missing: handlings(k.JA3.Behavior)}, nil)
	case k.JA4 != nil:
		return of(field.Spec{Kind: field.JA4, Missing: handlings(k.JA4.Behavior)}, nil)
	case k.IP != nil:
		return match.Key{IP: true}
	case k.Forwarded != nil:
		return match.Key{IP: true, From: r.forwarded(m, k.Pos)}
	case k.Label != nil:
		return match.Key{Label: k.Label.Namespace}
	case k.ASN != nil:
		r.doc.Hint(k.Of("ASN"), "write IP", "nothing here knows the autonomous systems of addresses")
	case !r.partial:
		r.doc.Errorf(k.Pos, "the key is empty")
	}
	return match.Key{}
}

package field

import (
	"net/http"
	"slices"
	"strings"
)

// AWS WAF inspects at most so much of headers, and of cookies: what is more is
// oversize. Ours are all inspected; the handling goes by these.
const (
	maxHeaderBytes = 8 << 10
	maxHeaders     = 200
)

// header takes the values of one header. Host stands apart from the others in
// net/http.
func (v *View) header(s *Spec, value *Value) {
	if s.Name == "host" {
		value.add(Part{Name: s.Name, Text: v.R.Host})
		return
	}
	values, ok := v.R.Header[http.CanonicalHeaderKey(s.Name)]
	if !ok {
		// The engines keep a name as it came where it has no canonical form.
		values = v.R.Header[s.Name]
	}
	for _, text := range values {
		value.add(Part{Name: s.Name, Text: text})
	}
}

// headers takes names and values, names in small letters and in their order, for
// the same request to give the same texts.
func (v *View) headers(s *Spec, value *Value) {
	bytes, count := 0, 0
	each := func(name string, values []string) {
		lower := strings.ToLower(name)
		wanted := s.wants(lower)
		for i, text := range values {
			bytes += len(name) + len(text)
			count++
			if !wanted {
				continue
			}
			if s.Scope != Values && i == 0 {
				value.add(Part{Name: lower, Text: lower, Key: true})
			}
			if s.Scope != Keys {
				value.add(Part{Name: lower, Text: text})
			}
		}
	}
	each("host", []string{v.R.Host})
	for name, values := range v.R.Header {
		each(name, values)
	}
	slices.SortStableFunc(value.Parts, func(a, b Part) int { return strings.Compare(a.Name, b.Name) })
	value.Over = bytes > maxHeaderBytes || count > maxHeaders
}

// wants reports whether a name is among those that are inspected.
func (s *Spec) wants(name string) bool {
	if len(s.Include) > 0 {
		return slices.Contains(s.Include, name)
	}
	return !slices.Contains(s.Exclude, name)
}

// cookies takes names and values of all cookies, as they stand between ";".
func (v *View) cookies(s *Spec, value *Value) {
	bytes, count := 0, 0
	for _, line := range v.R.Header["Cookie"] {
		bytes += len(line)
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			pair = strings.Trim(pair, " \t")
			if pair == "" {
				continue
			}
			count++
			name, text, named := strings.Cut(pair, "=")
			if !named { // a value without a name, as browsers read it
				name, text = "", pair
			}
			name = strings.TrimRight(name, " \t")
			if !s.wants(name) {
				continue
			}
			if s.Scope != Values && name != "" {
				value.add(Part{Name: name, Text: name, Key: true})
			}
			if s.Scope != Keys {
				value.add(Part{Name: name, Text: text})
			}
		}
	}
	value.Over = bytes > maxHeaderBytes || count > maxHeaders
}

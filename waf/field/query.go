package field

import (
	"net/url"
	"strings"
)

// maxArguments is how many arguments of a query are told apart: a longer one
// keeps the rest in the last.
const maxArguments = 1024

// arguments takes the values of query arguments. A name counts as written and
// decoded, whatever its case: services decode it.
func (v *View) arguments(s *Spec, value *Value) {
	v.splitQuery()
	for _, p := range v.pairs {
		if s.Kind == Arguments || isNamed(p.Name, s.Name) {
			value.add(p)
		}
	}
}

func isNamed(written, name string) bool {
	if strings.EqualFold(written, name) {
		return true
	}
	if strings.IndexByte(written, '%') < 0 && strings.IndexByte(written, '+') < 0 {
		return false
	}
	decoded, err := url.QueryUnescape(written)
	return err == nil && strings.EqualFold(decoded, name)
}

func (v *View) splitQuery() {
	if v.split {
		return
	}
	v.split = true
	for rest := v.X.Path.Query; rest != ""; {
		var pair string
		if len(v.pairs) < maxArguments {
			pair, rest, _ = strings.Cut(rest, "&")
		} else {
			pair, rest = rest, ""
		}
		if pair == "" {
			continue
		}
		name, text, _ := strings.Cut(pair, "=")
		v.pairs = append(v.pairs, Part{Name: name, Text: text})
	}
}

package nginx

import (
	"regexp"
	"strings"
)

var variable = regexp.MustCompile(`\$(?:\{([a-zA-Z0-9_]+)\}|([a-zA-Z0-9_]+))`)

// variablesOf returns the names of the variables in a value.
func variablesOf(s string) (names []string) {
	for _, found := range variable.FindAllStringSubmatch(s, -1) {
		names = append(names, found[1]+found[2])
	}
	return names
}

// templates are what stands for a variable in a header's value.
var templates = map[string]string{
	"remote_addr":        "${client.ip}",
	"realip_remote_addr": "${client.ip}",
	"request_id":         "${request.id}",
}

// template writes a header's value as Gatehouse reads it; false where a variable
// has no counterpart. Dynamic values hold references.
func (s *scope) template(value string) (text string, dynamic, ok bool) {
	var b strings.Builder
	rest := value
	for rest != "" {
		at := variable.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		b.WriteString(strings.ReplaceAll(rest[:at[0]], "${", "$${"))
		name := variable.FindStringSubmatch(rest)
		n := name[1] + name[2]
		rest = rest[at[1]:]
		if set, plain := s.variable(n); plain {
			b.WriteString(strings.ReplaceAll(set, "${", "$${"))
			continue
		}
		to, known := templates[n]
		if !known {
			return "", false, false
		}
		b.WriteString(to)
		dynamic = true
	}
	b.WriteString(strings.ReplaceAll(rest, "${", "$${"))
	return b.String(), dynamic, true
}

// expand puts the values of variables in that were set to plain text.
func (s *scope) expand(value string) string {
	return variable.ReplaceAllStringFunc(value, func(v string) string {
		name := variablesOf(v)[0]
		if set, plain := s.variable(name); plain {
			return set
		}
		return v
	})
}

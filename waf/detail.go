package waf

import (
	"strings"

	"gatehouse/waf/field"
	"gatehouse/waf/match"
	"gatehouse/waf/redact"
	"gatehouse/waf/text"
)

// The longest text of a detail, and what of it stands before a match.
const (
	maxShown = 80
	before   = 20
)

// detail says where the last statement found what it looks for, and what: so much
// of it that a person sees why, and no credential.
func (v *visit) detail() string {
	f := &v.Found
	switch {
	case f.What == "":
		return ""
	case f.Field == nil && f.Text == "":
		return f.What
	case f.Field == nil:
		return f.What + " " + f.Text
	}
	where := f.Field.String()
	if f.Name != "" && f.Name != f.Field.Name {
		where += " " + shorten(f.Name, 0, 0)
	}
	if f.What == "oversize" || f.What == "invalid" {
		return where + " " + f.What
	}
	if isSecret(f) {
		return where + " " + f.What + ": (redacted)"
	}
	return where + " " + f.What + ": " + shorten(f.Text, f.At, f.Len)
}

// shorten returns a copy of what stands around a match. Whoever prints it escapes
// it.
func shorten(s string, at, n int) string {
	if len(s) <= maxShown {
		return strings.Clone(s)
	}
	from := max(0, min(at-before, len(s)-maxShown))
	to := min(len(s), from+maxShown)
	out := strings.Clone(s[from:to])
	if from > 0 {
		out = "..." + out
	}
	if to < len(s) {
		out += "..."
	}
	return out
}

// isSecret reports whether what a field holds may be, or hold, a credential.
func isSecret(f *match.Finding) bool {
	whole := f.Field.Kind == field.JSON && f.Name == "" // a body that is no JSON
	switch {
	case f.Field.Kind == field.Cookies:
		return f.Text != f.Name
	case f.Field.Kind == field.Query, f.Field.Kind == field.Body, whole:
		return redact.Holds(f.Text) || redact.Holds(text.URLDecode.Apply(f.Text))
	}
	return f.Text != f.Name && redact.Secret(f.Name)
}

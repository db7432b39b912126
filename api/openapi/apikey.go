package openapi

import "slices"

// apiKey is the kind of the schemes by which API Gateway wants API keys of usage
// plans.
const apiKey = "api-key"

// KeySource is where a definition says that API keys come from.
type KeySource string

// The sources, in API Gateway's words. Where a definition says none, a key may
// come from either.
const (
	FromHeader     KeySource = "HEADER"
	FromAuthorizer KeySource = "AUTHORIZER"
)

// APIKey reports whether callers need an API key of a usage plan: one of the
// schemes wants it, and nothing of ours stands for that. Beside other schemes it is
// needed as well as these, also where it is written as an alternative to them: so
// API Gateway exports and reads it.
func (c *Callers) APIKey(rules *Rules) bool {
	for _, a := range c.Alternatives {
		if slices.ContainsFunc(a.Required, rules.isKey) {
			return true
		}
	}
	return false
}

// isKey reports whether a requirement is an API key's.
func (rules *Rules) isKey(q Requirement) bool {
	if _, said := rules.Security[Key(q.Scheme)]; said || slices.Contains(rules.Authorizers, q.Scheme) {
		return false
	}
	return rules.Schemes[q.Scheme].Kind == apiKey
}

// isKey reports whether an API key is all that is required.
func (a *Alternative) isKey(rules *Rules) bool {
	other := func(q Requirement) bool { return !rules.isKey(q) }
	return len(a.Required) > 0 && !slices.ContainsFunc(a.Required, other)
}

// keys returns the requirements of API keys alone.
func (c *Callers) keys(schemes map[string]Scheme) (out []Alternative) {
	for _, a := range c.Alternatives {
		for _, q := range a.Required {
			if schemes[q.Scheme].Kind == apiKey {
				out = append(out, Alternative{At: a.At, Required: []Requirement{q}})
			}
		}
	}
	return out
}

package openapi

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"gatehouse/config"
)

// Scheme is one of the ways in which a definition says that callers are known.
type Scheme struct {
	At     config.Pos
	Type   string // apiKey, http, oauth2, openIdConnect, mutualTLS, basic
	Kind   string // what API Gateway makes of it: "jwt", "awsSigv4", "cognito_user_pools", ...
	Cannot string // why it is no authorizer by itself, and the cure; "" where nobody said that it were one
	amazon bool   // scopes are asked for as API Gateway does: one of them is enough
}

// Callers is who may call an operation, as its security says.
type Callers struct {
	At           config.Pos
	Everybody    bool // without any credential
	Alternatives []Alternative
}

// Alternative is a set of schemes, all of which callers must be known by; none:
// anybody.
type Alternative struct {
	At       config.Pos
	Required []Requirement
}

// Requirement is one scheme, with the scopes that callers must have.
type Requirement struct {
	Scheme string
	Scopes []string
	At     config.Pos
}

// callers reads a list of security requirements; nil for none and for an empty
// list, which leave it to who names the definition.
func (r *reader) callers(v *config.Value) *Callers {
	if v == nil || !r.is(v, config.List, "security") || len(v.Items) == 0 {
		return nil
	}
	c := &Callers{At: v.Pos}
	for _, item := range v.Items {
		if !r.is(item, config.Map, "security") {
			continue
		}
		a := Alternative{At: item.Pos}
		for _, e := range item.Entries {
			if _, known := r.schemes[e.Key]; !known {
				r.Unknown(e.Pos, "security scheme", e.Key, slices.Sorted(maps.Keys(r.schemes)))
				continue
			}
			a.Required = append(a.Required, Requirement{Scheme: e.Key, Scopes: r.words(item, e.Key), At: e.Pos})
		}
		c.Alternatives = append(c.Alternatives, a)
	}
	return c
}

// iam is the name of the scheme that stands for API Gateway's AWS_IAM, which is
// said without one.
const iam = "AWS_IAM"

// operationCallers reads who may call an operation.
func (r *reader) operationCallers(v *config.Value) *Callers {
	if auth := find(v, amazon+"auth"); auth != nil {
		switch kind := r.word(auth, "type"); {
		case strings.EqualFold(kind, "none"):
		case strings.EqualFold(kind, iam):
			r.signed(iam, auth.Pos)
			c := &Callers{At: auth.Pos, Alternatives: []Alternative{{auth.Pos, []Requirement{{Scheme: iam, At: auth.Pos}}}}}
			if beside := r.callers(find(v, "security")); beside != nil {
				c.Alternatives = append(c.Alternatives, beside.keys(r.schemes)...)
			}
			return c
		case find(v, "security") == nil:
			r.Errorf(auth.Pos, "%sauth is %s, and no security says by which scheme", amazon, kind)
		}
	}
	if s := find(v, "security"); s != nil {
		return r.callers(s)
	}
	return r.security
}

// readSchemes reads the security schemes.
func (r *reader) readSchemes() {
	all := find(r.root, "securityDefinitions")
	if r.dialect != swagger2 {
		all = find(find(r.root, "components"), "securitySchemes")
	}
	if all == nil || !r.is(all, config.Map, "securitySchemes") {
		return
	}
	for _, e := range all.Entries {
		v, ok := r.resolve(e.Value)
		if !ok || !r.is(v, config.Map, e.Key) {
			continue
		}
		r.extensions(v, inScheme)
		r.schemes[e.Key] = r.scheme(e, v)
	}
}

func (r *reader) scheme(e config.Entry, v *config.Value) Scheme {
	s := Scheme{At: e.Pos, Type: r.word(v, "type")}
	authtype := r.word(v, amazon+"authtype")
	authorizer := find(v, amazon+"authorizer")
	if authorizer != nil {
		if resolved, ok := r.resolve(authorizer); ok {
			s.amazon = true
			s.Kind = r.word(resolved, "type")
			s.Cannot = r.authorizer(e, resolved, s.Kind)
			return s
		}
	}
	switch {
	case strings.EqualFold(authtype, "awsSigv4"):
		return r.signed(e.Key, e.Pos)
	case s.Type == "apiKey" && authtype == "" && strings.EqualFold(r.word(v, "name"), "x-api-key"):
		if in := r.word(v, "in"); !strings.EqualFold(in, "header") {
			s.Cannot = "API keys of usage plans come in the header x-api-key, not in " + in
			break
		}
		s.Kind = apiKey
	}
	return s
}

// signed is a scheme of signatures by SigV4, and an authorizer of its name.
func (r *reader) signed(name string, at config.Pos) Scheme {
	s := Scheme{At: at, Kind: "awsSigv4"}
	if _, known := r.schemes[name]; !known {
		r.authorizers = append(r.authorizers, Authorizer{Name: name, At: at, Signed: true})
	}
	r.schemes[name] = s
	return s
}

// Authorizer is one that the definition itself says: tokens of an issuer, or
// signatures.
type Authorizer struct {
	Name     string
	At       config.Pos
	Signed   bool // AWS Signature Version 4; what follows is empty
	Issuer   string
	Audience []string
	From     string // header.NAME or query.NAME
}

// IsCognito reports whether the issuer is AWS Cognito, of which Keys is known for
// certain.
func (a *Authorizer) IsCognito() bool {
	return strings.HasPrefix(a.Issuer, "https://cognito-idp.")
}

// Keys returns the URL of the issuer's public keys. API Gateway finds it by the
// issuer's discovery document; this is what it names at the usual issuers, AWS
// Cognito among them.
func (a *Authorizer) Keys() string {
	return strings.TrimSuffix(a.Issuer, "/") + "/.well-known/jwks.json"
}

// authorizer reads one of API Gateway's, and returns why it is none here.
func (r *reader) authorizer(e config.Entry, v *config.Value, kind string) string {
	switch kind {
	case "jwt":
		return r.jwtAuthorizer(e, v)
	case "cognito_user_pools":
		return r.cognito(e, v)
	case "request", "token", "lambda":
		return fmt.Sprintf("it is a function: write under authorizers %s: {function: NAME, format: \"1.0\"} with what its identity is", e.Key)
	case "":
		return "its type is missing"
	}
	return fmt.Sprintf("authorizers of the type %s are not known", kind)
}

func (r *reader) jwtAuthorizer(e config.Entry, v *config.Value) string {
	jwt := find(v, "jwtConfiguration")
	a := Authorizer{Name: e.Key, At: e.Pos, Issuer: r.word(jwt, "issuer"), Audience: r.words(jwt, "audience"), From: "header.Authorization"}
	if a.Issuer == "" || len(a.Audience) == 0 {
		r.Errorf(v.Pos, "the authorizer %s needs an issuer and an audience under jwtConfiguration", e.Key)
		return ""
	}
	if u, err := url.Parse(a.Issuer); err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		r.Errorf(find(jwt, "issuer").Pos, "the issuer of %s is no https URL: its keys decide who may call", e.Key)
		return ""
	}
	if source := find(v, "identitySource"); source != nil {
		from, ok := identitySource(r.words(v, "identitySource"))
		if !ok {
			r.Errorf(source.Pos, "a token stands in one place: $request.header.NAME or $request.querystring.NAME")
			return ""
		}
		a.From = from
	}
	r.authorizers = append(r.authorizers, a)
	return ""
}

// identitySource returns a place of API Gateway's as authorizers name it.
func identitySource(sources []string) (string, bool) {
	if len(sources) != 1 {
		return "", false
	}
	for prefix, place := range map[string]string{
		"$request.header.": "header.", "$request.querystring.": "query.", "method.request.header.": "header.", "method.request.querystring.": "query.",
	} {
		if name, ok := strings.CutPrefix(sources[0], prefix); ok && name != "" {
			return place + name, true
		}
	}
	return "", false
}

// cognito says how to write a user pool as an authorizer. The export does not
// tell for which of the pool's clients tokens must be.
func (r *reader) cognito(e config.Entry, v *config.Value) string {
	issuer := "https://cognito-idp.REGION.amazonaws.com/POOL"
	for _, arn := range r.words(v, "providerARNs") {
		// arn:aws:cognito-idp:REGION:ACCOUNT:userpool/POOL
		parts := strings.Split(arn, ":")
		if pool, ok := strings.CutPrefix(parts[len(parts)-1], "userpool/"); ok && len(parts) == 6 {
			issuer = "https://cognito-idp." + parts[3] + ".amazonaws.com/" + pool
		}
	}
	return fmt.Sprintf("the definition does not say for which clients of the user pool tokens must be: write under authorizers %s: {jwt: {issuer: %q, audience: CLIENT-ID, jwks: %q}}", e.Key, issuer, issuer+"/.well-known/jwks.json")
}

// Authorize is what Callers come to: None for everybody, or authorizers with
// the scopes that callers need. Without both nothing is said of who may call:
// an API key is no authorization.
type Authorize struct {
	None      bool
	Any       []config.Name
	Scopes    []string // one of these
	AllScopes []string // and all of these
}

// Rules are by which names callers are known.
type Rules struct {
	Security    map[Key]config.Name // Options.Security
	Schemes     map[string]Scheme
	Authorizers []string // names of those that there are
}

// Authorize returns what c comes to, or why that cannot be said and the cure.
func (c *Callers) Authorize(rules *Rules) (Authorize, string) {
	if c.Everybody {
		return Authorize{None: true}, ""
	}
	var out Authorize
	first := true
	for _, a := range c.Alternatives {
		if a.isKey(rules) {
			continue
		}
		one, problem := a.authorize(rules)
		further := !first
		first = false
		switch {
		case problem != "":
			return Authorize{}, problem
		case further && one.None != out.None:
			return Authorize{}, "a credential is asked for and can be left out: say by x-gatehouse-authorize who may call"
		case further && !(slices.Equal(one.Scopes, out.Scopes) && slices.Equal(one.AllScopes, out.AllScopes)):
			return Authorize{}, "other scopes are asked for by one scheme than by another: say by x-gatehouse-authorize who may call"
		}
		for _, name := range one.Any {
			if !slices.ContainsFunc(out.Any, func(n config.Name) bool { return n.Value == name.Value }) {
				out.Any = append(out.Any, name)
			}
		}
		out.None, out.Scopes, out.AllScopes = one.None, one.Scopes, one.AllScopes
	}
	return out, ""
}

func (a *Alternative) authorize(rules *Rules) (Authorize, string) {
	var out Authorize
	for _, q := range a.Required {
		if rules.isKey(q) {
			continue
		}
		name, problem := rules.authorizer(q)
		if problem != "" {
			return Authorize{}, problem
		}
		if name.Value == "none" {
			continue
		}
		if len(out.Any) > 0 {
			return Authorize{}, fmt.Sprintf("two credentials are asked for at once, %s and %s: leave one to the service, by security: {%s: none} beside the definition's file", out.Any[0].Value, name.Value, q.Scheme)
		}
		out.Any = []config.Name{name}
		if rules.Schemes[q.Scheme].amazon {
			out.Scopes = q.Scopes
		} else {
			out.AllScopes = q.Scopes
		}
	}
	out.None = len(out.Any) == 0
	if out.None && len(a.Required) == 0 {
		return Authorize{}, "security holds {}, for callers without a credential: say by x-gatehouse-authorize who may call"
	}
	return out, ""
}

// authorizer returns the authorizer that stands for a scheme.
func (rules *Rules) authorizer(q Requirement) (config.Name, string) {
	if name, said := rules.Security[Key(q.Scheme)]; said {
		return name, ""
	}
	if slices.Contains(rules.Authorizers, q.Scheme) {
		return config.Name{Value: q.Scheme, At: q.At}, ""
	}
	why := rules.Schemes[q.Scheme].Cannot
	if why != "" {
		why = ": " + why
	}
	return config.Name{}, fmt.Sprintf("the security scheme %s is no authorizer%s. Write an authorizer of this name, or name one beside the definition's file by security: {%s: NAME}, or none to leave the credential to the service", q.Scheme, why, q.Scheme)
}

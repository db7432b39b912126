package auth

import (
	"gatehouse/auth/basic"
	"gatehouse/auth/custom"
	"gatehouse/auth/introspection"
	"gatehouse/auth/jwt"
	"gatehouse/auth/mtls"
	"gatehouse/auth/oidc"
	"gatehouse/auth/place"
	"gatehouse/auth/sigv4"
	"gatehouse/config"
)

// Config is one entry of authorizers: one way of finding out who calls, by
// exactly one scheme.
type Config struct {
	config.At
	Name          string         `yaml:"-" key:"true"`
	JWT           *jwt.Config    `yaml:"jwt" doc:"JSON Web Tokens of one issuer"`
	IAM           *sigv4.Config  `yaml:"iam" doc:"users and roles of iam, who sign with AWS Signature Version 4 and may do what their policies allow"`
	HTTP          *custom.Config `yaml:"http" doc:"a program behind an URL decides, in API Gateway's formats for custom authorizers"`
	Function      config.Name    `yaml:"function" doc:"a function decides, in API Gateway's formats for custom authorizers"`
	custom.Asking `yaml:",inline"`
	Basic         *basic.Config         `yaml:"basic" doc:"users with passwords, of which the configuration has argon2id hashes"`
	MTLS          *mtls.Config          `yaml:"mtls" doc:"programs and devices with certificates"`
	OIDC          *oidc.Config          `yaml:"oidc" doc:"people who log in with their browser at an OpenID provider"`
	Token         *introspection.Config `yaml:"introspection" doc:"tokens that their issuer is asked about"`
	Forward       bool                  `yaml:"forward-credential" doc:"lets the service have the credential itself; default: it is taken out of the request"`
}

// schemes are those that the authorizer has, by name: of one that was checked,
// exactly one.
func (c *Config) schemes() (names []string) {
	for _, s := range []struct {
		name string
		is   bool
	}{
		{"jwt", c.JWT != nil}, {"iam", c.IAM != nil}, {"http", c.HTTP != nil}, {"function", c.Function.Value != ""}, {"basic", c.Basic != nil}, {"mtls", c.MTLS != nil}, {"oidc", c.OIDC != nil}, {"introspection", c.Token != nil},
	} {
		if s.is {
			names = append(names, s.name)
		}
	}
	return names
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	if c.Name == "none" {
		r.Errorf(c.Pos, `no authorizer can be called none: "authorize: none" publishes a route`)
	}
	if len(c.schemes()) != 1 {
		r.Errorf(c.Pos, "an authorizer has exactly one scheme: jwt, introspection, iam, http, function, basic, mtls or oidc")
	}
	c.checkFunction(r)
}

// checkFunction holds the keys of a function's authorizer against each other, and
// reports them where there is none.
func (c *Config) checkFunction(r *config.Report) {
	if c.Function.Value != "" {
		c.asked().CheckAsking(r)
		return
	}
	for _, key := range []string{"type", "format", "identity", "match", "ttl", "timeout"} {
		if c.Has(key) && !c.Broken("function") {
			r.Errorf(c.Of(key), "%s stands beside function: of another scheme it is said within it", key)
		}
	}
}

// asked is how the program that decides is asked; nil where none does.
func (c *Config) asked() *custom.Config {
	if c.Function.Value == "" {
		return c.HTTP
	}
	return &custom.Config{At: c.At, Function: c.Function.Value, Asking: c.Asking}
}

// CheckOrder reports authorizers of a route's list that would never be asked,
// since one before them decides about the same credentials. Names that are not
// known are passed over.
func CheckOrder(r *config.Report, list []config.Name, known map[string]*Config) {
	for i, name := range list {
		for _, before := range list[:i] {
			first, second := known[before.Value], known[name.Value]
			switch {
			case first == nil || second == nil:
			case first.decidesForAll(second):
				r.Errorf(name.At, "the authorizer %s is never asked: %s stands before it and decides about every credential of its kind, or sends whoever has none to log in", name.Value, before.Value)
			case first.hides(second):
				r.Errorf(name.At, "the authorizer %s is never asked: %s stands before it and decides about every token of the same issuer in the same places. Let one of them take the audiences of both, or look in other places", name.Value, before.Value)
			}
		}
	}
}

// hides reports whether o is never asked after c.
func (c *Config) hides(o *Config) bool {
	return c.JWT != nil && o.JWT != nil && c.JWT.Hides(o.JWT)
}

// decidesForAll reports whether c decides about every credential that o would be
// asked about, whoever it is of.
func (c *Config) decidesForAll(o *Config) bool {
	return c.IAM != nil && o.IAM != nil || c.Basic != nil && o.Basic != nil || c.MTLS != nil && o.MTLS != nil || c.OIDC != nil && o.OIDC != nil || c.asked() != nil && o.asked() != nil && c.asked().Hides(o.asked())
}

// UsesDevelopmentKey reports whether the authorizer takes tokens that anybody
// who can read the data folder can make.
func (c *Config) UsesDevelopmentKey() bool {
	return c.JWT != nil && c.JWT.JWKS.Kind == jwt.DevelopmentSource
}

// kind is the name of the authorizer's scheme.
func (c *Config) kind() string { return c.schemes()[0] }

// QueryParameters returns the query parameters that credentials are read from,
// with the place that names them.
func (c *Config) QueryParameters() (names []string, at config.Pos) {
	switch {
	case c.JWT != nil:
		for _, from := range c.JWT.From {
			if from.Place == "query" {
				names = append(names, from.Name)
			}
		}
		return names, c.JWT.Of("from")
	case c.Token != nil:
		return c.Token.QueryParameters(), c.Token.Of("from")
	case c.asked() != nil:
		return c.asked().QueryParameters(), c.asked().Of("identity")
	}
	return nil, c.Pos
}

// Headers returns the headers that credentials are read from, beside those of its
// scheme's own.
func (c *Config) Headers() (names []string) {
	var from []place.From
	switch {
	case c.JWT != nil:
		from = c.JWT.From
	case c.Token != nil:
		from = c.Token.From
	case c.asked() != nil:
		return c.asked().Headers()
	}
	for _, f := range from {
		if f.Place == "header" {
			names = append(names, f.Name)
		}
	}
	return names
}

package auth

import (
	"gatehouse/auth/jwt"
	"gatehouse/auth/sigv4"
	"gatehouse/config"
)

// Config is one entry of authorizers: one way of finding out who calls, by
// exactly one scheme.
type Config struct {
	config.At
	Name string        `yaml:"-" key:"true"`
	JWT  *jwt.Config   `yaml:"jwt" doc:"JSON Web Tokens of one issuer"`
	IAM  *sigv4.Config `yaml:"iam" doc:"users and roles of iam, who sign with AWS Signature Version 4 and may do what their policies allow"`
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	if c.Name == "none" {
		r.Errorf(c.Pos, `no authorizer can be called none: "authorize: none" publishes a route`)
	}
	schemes := 0
	if c.JWT != nil {
		schemes++
	}
	if c.IAM != nil {
		schemes++
	}
	if schemes != 1 {
		r.Errorf(c.Pos, "an authorizer has exactly one scheme: jwt or iam")
	}
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
			case first.IAM != nil && second.IAM != nil:
				r.Errorf(name.At, "the authorizer %s is never asked: %s stands before it and decides about every signature", name.Value, before.Value)
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

// UsesDevelopmentKey reports whether the authorizer takes tokens that anybody
// who can read the data folder can make.
func (c *Config) UsesDevelopmentKey() bool {
	return c.JWT != nil && c.JWT.JWKS.Kind == jwt.DevelopmentSource
}

// kind is the name of the authorizer's scheme.
func (c *Config) kind() string {
	if c.IAM != nil {
		return "iam"
	}
	return "jwt"
}

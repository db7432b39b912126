package auth

import (
	"gatehouse/auth/jwt"
	"gatehouse/config"
)

// Config is one entry of authorizers: one way of finding out who calls, by
// exactly one scheme.
type Config struct {
	config.At
	Name string      `yaml:"-" key:"true"`
	JWT  *jwt.Config `yaml:"jwt" doc:"JSON Web Tokens of one issuer"`
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
	if schemes != 1 {
		r.Errorf(c.Pos, "an authorizer has exactly one scheme: jwt")
	}
}

// UsesDevelopmentKey reports whether the authorizer takes tokens that anybody
// who can read the data folder can make.
func (c *Config) UsesDevelopmentKey() bool {
	return c.JWT != nil && c.JWT.JWKS.Kind == jwt.DevelopmentSource
}

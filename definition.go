package gatehouse

import (
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"gatehouse/api"
	"gatehouse/api/openapi"
	"gatehouse/auth"
	"gatehouse/auth/jwt"
	"gatehouse/auth/sigv4"
	"gatehouse/authorize"
	"gatehouse/config"
	"gatehouse/iam/policy"
	"gatehouse/throttle"
	"gatehouse/usage"
)

// deployed is one deployment while its routes are compiled: what holds for all
// of them, and how the names of its definition are understood.
type deployed struct {
	base  Policies // of the stage, the API and the root of the definition
	rules openapi.Rules
	from  usage.Source // of API keys
	tally *api.Tally
}

func newDeployed(a *API, dep *api.Deployment[Policies]) *deployed {
	s := &deployed{base: a.Policies.settled(), tally: &api.Tally{}}
	if d := dep.Definition; d != nil {
		s.rules = openapi.Rules{Security: d.Security, Schemes: d.Schemes, Authorizers: names(a.Authorizers)}
		s.from = keySource(d.KeySource)
		if d.Keys != nil {
			s.base = a.Policies.over(d.Keys.Policies)
		}
	}
	if dep.Own != nil {
		s.base = dep.Own.over(s.base)
	}
	return s
}

// policies returns what a route's levels say, the nearest first, over what holds
// for all routes, and the throttles that are the route's alone.
func (s *deployed) policies(r *api.Resolved[Policies]) Policies {
	p := s.base
	var own []throttle.Config
	var atOnce *throttle.Concurrent
	for i := len(r.Levels) - 1; i >= 0; i-- {
		switch level := r.Levels[i]; {
		case level.Policies != nil:
			p = level.Policies.over(p)
			if level.Policies.Throttle != nil {
				own = level.Policies.Throttle
			}
			if level.Policies.Concurrent != nil {
				atOnce = level.Policies.Concurrent
			}
		default:
			if level.Callers.APIKey(&s.rules) {
				p.APIKey = &usage.Rule{At: level.Callers.At, Want: usage.Required}
			}
			if !sayCallers(r.Levels[:i]) {
				s.callers(&p, level.Callers, r.Match.Route)
			}
		}
	}
	p.Throttle, p.Concurrent = own, atOnce
	p.APIKey = p.APIKey.From(s.from)
	return p
}

// keySource is where API keys come from, as a definition says it.
func keySource(said openapi.KeySource) usage.Source {
	switch said {
	case openapi.FromHeader:
		return usage.Header
	case openapi.FromAuthorizer:
		return usage.Authorizer
	}
	return usage.Anywhere
}

// sayCallers reports whether one of levels says who may call.
func sayCallers(levels []api.Level[Policies]) bool {
	return slices.ContainsFunc(levels, func(l api.Level[Policies]) bool {
		return l.Callers != nil || l.Policies.Authorize != nil && (l.Policies.Authorize.None || len(l.Policies.Authorize.Any) > 0)
	})
}

// callers makes p say who may call as a definition says it; where it cannot be
// said here, that is a problem. One that wants API keys alone says nothing of it.
func (s *deployed) callers(p *Policies, c *openapi.Callers, route string) {
	at := config.At{Pos: c.At}
	who, problem := c.Authorize(&s.rules)
	switch {
	case problem != "":
		s.tally.Add(c.At, route, problem)
		p.Authorize = &authorize.Config{At: at, None: true} // so that nobody complains of it once more
	case who.None || len(who.Any) > 0:
		p.Authorize = &authorize.Config{At: at, None: who.None, Any: who.Any, Scopes: who.Scopes, AllScopes: who.AllScopes}
	}
}

// apiThrottle returns the throttles of an API as a whole.
func apiThrottle(a *API, dep *api.Deployment[Policies]) []throttle.Config {
	if d := dep.Definition; a.Policies.Throttle == nil && d != nil && d.Keys != nil {
		return d.Keys.Policies.Throttle
	}
	return a.Policies.Throttle
}

// adoptAuthorizers adds to the authorizers of each API those that its
// definitions say and it does not.
func (cfg *Config) adoptAuthorizers(report *config.Report) {
	for _, name := range names(cfg.APIs) {
		a := cfg.APIs[name]
		for _, d := range a.definitions() {
			for i := range d.Authorizers {
				if said := &d.Authorizers[i]; a.adopt(said, report) && !said.Signed && !said.IsCognito() {
					cfg.warn(said.At, fmt.Sprintf("the keys of the authorizer %s are looked for at %s: where its issuer has them elsewhere, write it under authorizers", said.Name, said.Keys()))
				}
			}
		}
	}
}

// adoptPolicies makes the resource policies that definitions say the APIs' own,
// where these say none.
func (cfg *Config) adoptPolicies(report *config.Report) {
	for _, name := range names(cfg.APIs) {
		a := cfg.APIs[name]
		said := a.Policy
		for _, d := range a.definitions() {
			switch {
			case d.Policy == nil || said != nil && a.Policy == said:
			case a.Policy == nil:
				a.Policy = policy.Defined(d.Policy)
				a.Policy.Check(report)
			default:
				report.Errorf(d.Policy.Pos, "the API has a resource policy from %s: write one for all its stages under policy", a.Policy.At)
			}
		}
	}
}

// adopt reports whether the authorizer became one of the API's.
func (a *API) adopt(said *openapi.Authorizer, report *config.Report) bool {
	c := authorizerOf(said)
	switch have := a.Authorizers[said.Name]; {
	case have == nil:
		if a.Authorizers == nil {
			a.Authorizers = make(map[string]*auth.Config)
		}
		if a.adopted == nil {
			a.adopted = make(map[string]bool)
		}
		a.Authorizers[said.Name], a.adopted[said.Name] = c, true
		c.Check(report)
		if c.JWT != nil {
			c.JWT.Check(report)
		}
		return true
	case have.At.Pos != c.At.Pos && a.adopted[said.Name] && config.Digest(have) != config.Digest(c):
		report.Errorf(said.At, "the authorizer %s is another one at %s: write it under authorizers, or call one of the two by another name", said.Name, have.Pos)
	}
	return false
}

// authorizerOf returns an authorizer that a definition says.
func authorizerOf(a *openapi.Authorizer) *auth.Config {
	at := config.At{Pos: a.At}
	if a.Signed {
		return &auth.Config{At: at, Name: a.Name, IAM: &sigv4.Config{At: at, Body: 10 << 20, UnsignedPayload: "tls"}}
	}
	c := &jwt.Config{At: at, Issuer: a.Issuer, Audience: a.Audience, Leeway: config.Duration(30 * time.Second), Expiry: "required"}
	c.JWKS = jwt.Source{Kind: jwt.URLSource, URL: a.Keys()}
	var from jwt.From
	if from.UnmarshalText([]byte(a.From)) == nil {
		c.From = []jwt.From{from}
	}
	return &auth.Config{At: at, Name: a.Name, JWT: c}
}

// definitions returns the definitions of an API, its own and those of stages.
func (a *API) definitions() []*api.Definition[Policies] {
	var out []*api.Definition[Policies]
	add := func(d *api.Definition[Policies]) {
		if d != nil && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	add(a.Definition)
	for _, stage := range names(a.Stages) {
		s := a.Stages[stage]
		add(s.Definition)
	}
	return out
}

// releaseDefinitions lets go of what was needed to compile alone.
func (cfg *Config) releaseDefinitions() {
	for _, name := range names(cfg.APIs) {
		for _, d := range cfg.APIs[name].definitions() {
			d.Release()
		}
	}
	cfg.checks.end()
	if cfg.sources.Release() > largeDefinition {
		debug.FreeOSMemory()
	}
}

// largeDefinition is from how many bytes of definitions on the memory that
// reading them took, some fifty times as much, is given back at once.
const largeDefinition = 1 << 20

package gatehouse

import (
	"net/http"

	"gatehouse/api"
	"gatehouse/canary"
	"gatehouse/config"
	"gatehouse/mirror"
	"gatehouse/transform"
)

// Canary is a second release of what answers a route.
type Canary struct {
	canary.Config `yaml:",inline"`
	Target        api.Target `yaml:"target" doc:"what answers in place of the route's target; default: the route's, with the canary's variables"`
	Off           bool       `yaml:"-"`
}

// UnmarshalConfig reads off, which takes a canary of a level above away, or a
// section.
func (c *Canary) UnmarshalConfig(n *config.Node) {
	if isOff(n) {
		c.Off = true
		return
	}
	type section Canary
	n.Decode((*section)(c))
}

// ConfigSchema implements config.Schemer.
func (Canary) ConfigSchema() *config.Schema {
	type section Canary
	return &config.Schema{AnyOf: []*config.Schema{offSchema(), config.SchemaOf(section{})}}
}

// Check implements config.Checker.
func (c *Canary) Check(r *config.Report) {
	if c.Off {
		return
	}
	c.Config.Check(r)
	if !c.Has("target") && len(c.Variables) == 0 {
		r.Errorf(c.Pos, "nothing is different for the canary: write target, or variables that a target, a rewrite or a header names")
	}
}

// Mirror is where copies of a route's requests go.
type Mirror struct {
	mirror.Config `yaml:",inline"`
	Target        api.Target `yaml:"target,required" doc:"what gets the copies: service:NAME, http://HOST:PORT, or weights"`
	Off           bool       `yaml:"-"`
}

// UnmarshalConfig reads off, which takes a mirror of a level above away, or a
// section.
func (m *Mirror) UnmarshalConfig(n *config.Node) {
	if isOff(n) {
		m.Off = true
		return
	}
	type section Mirror
	n.Decode((*section)(m))
}

// ConfigSchema implements config.Schemer.
func (Mirror) ConfigSchema() *config.Schema {
	type section Mirror
	return &config.Schema{AnyOf: []*config.Schema{offSchema(), config.SchemaOf(section{})}}
}

// isOff reports whether a section is switched off: off, or false.
func isOff(n *config.Node) bool {
	text, ok := n.Text()
	return ok && n.Kind() == config.Scalar && (text == "off" || text == "false")
}

func offSchema() *config.Schema { return &config.Schema{Enum: []any{"off", false}} }

// second is the canary of one route.
type second struct {
	policy    *Canary
	target    api.Target
	rewrite   *transform.Rewrite
	variables map[string]string
}

// canary compiles the canary of an endpoint, whose own target and rewrite are
// those of r; nil where there is none.
func (d *draft) canary(e *endpoint, r *api.Resolved[Policies], scope transform.Scope, report *config.Report) *second {
	p := e.policies.Canary
	if p == nil {
		return nil
	}
	scope.Variables = p.Within(scope.Variables)
	target := r.Target()
	if p.Has("target") {
		target = p.Target
	}
	s := &second{policy: p, variables: scope.Variables}
	s.target = target.In(s.variables, "the canary of "+scope.Stage, report)
	if e.rewrite != nil { // else there is none, or it has been told what is wrong with it
		s.rewrite = transform.CompileRewrite(r.Rewrite().Text, r.Rewrite().At, scope, report)
	}
	for _, destination := range s.target.Destinations {
		d.checkDestination(destination, report)
	}
	return s
}

// release returns the canary of an endpoint with what answers in both.
func (b *binder) release(e *endpoint, stable http.Handler) (*canary.Release, error) {
	c := e.canary
	if c == nil {
		return nil, nil
	}
	other, err := b.answerer(e, c.target, c.rewrite)
	if err != nil {
		return nil, err
	}
	return &canary.Release{
		Config: &c.policy.Config, Name: "to " + targetText(c.target), Scope: e.api + "/" + e.stage, Variables: c.variables,
		Stable: stable, Canary: other,
	}, nil
}

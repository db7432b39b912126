package gatehouse

import (
	"gatehouse/api"
	"gatehouse/api/openapi"
	"gatehouse/config"
	"gatehouse/transform"
	"gatehouse/validate"
	"gatehouse/validate/schema"
)

// checks are the operations whose requests are held against their definition,
// compiled once for a configuration.
type checks struct {
	operations map[*openapi.Request]*validate.Operation
	compilers  map[*api.Definition[Policies]]*validate.Compiler // until the definitions are released
	report     *config.Report
}

func newChecks(report *config.Report) *checks {
	return &checks{
		operations: make(map[*openapi.Request]*validate.Operation),
		compilers:  make(map[*api.Definition[Policies]]*validate.Compiler),
		report:     report,
	}
}

// end lets go of what was needed to compile alone.
func (c *checks) end() { c.compilers, c.report = nil, nil }

// requests returns what requests of an endpoint must be like; nil where nobody
// wants that checked.
func (d *draft) requests(e *endpoint, dep *api.Deployment[Policies], r *api.Resolved[Policies], report *config.Report) *validate.Operation {
	wanted := e.policies.Validate
	if !wanted.Wanted() {
		return nil
	}
	if r.Request == nil {
		if r.Says("validate") {
			report.Errorf(wanted.Pos, "no definition says what requests of this route are like: there is nothing to hold them against")
		}
		return nil
	}
	c := d.config.checks
	if o := c.operations[r.Request]; o != nil || c.compilers == nil {
		return o
	}
	o := c.compiler(dep.Definition, r.Request).Operation(specOf(r.Request))
	c.operations[r.Request] = o
	return o
}

// compiler returns the one of a definition, whose operations share schemas.
func (c *checks) compiler(d *api.Definition[Policies], q *openapi.Request) *validate.Compiler {
	if known := c.compilers[d]; known != nil {
		return known
	}
	out := &validate.Compiler{Schemas: schema.Compiler{Legacy: q.Legacy, Resolve: q.Resolve, Report: c.report}}
	c.compilers[d] = out
	return out
}

// specOf says in the words of validate what a definition says.
func specOf(q *openapi.Request) *validate.Spec {
	s := &validate.Spec{}
	for _, p := range q.Parameters {
		s.Parameters = append(s.Parameters, validate.Parameter{
			At: p.At, Name: p.Name, In: p.In, Required: p.Required, AllowEmpty: p.AllowEmpty,
			Style: p.Style, Explode: p.Explode, Schema: p.Schema, MediaType: p.MediaType,
		})
	}
	if q.Body == nil {
		return s
	}
	s.Body = &validate.Body{Required: q.Body.Required}
	for _, t := range q.Body.Types {
		s.Body.Types = append(s.Body.Types, validate.Content{Type: t.Type, Schema: t.Schema, Form: t.Form})
	}
	return s
}

// mappingOf says in the words of transform how an integration makes requests and
// answers anew.
func mappingOf(m *openapi.Mapping) *transform.Mapping {
	if m == nil {
		return nil
	}
	out := &transform.Mapping{Types: m.Types, Query: movedOf(m.Query), Header: movedOf(m.Header)}
	for _, a := range m.Answers {
		out.Answers = append(out.Answers, transform.Answer{Pattern: a.Pattern, Status: a.Status, Header: movedOf(a.Header)})
	}
	return out
}

func movedOf(all []openapi.Moved) (out []transform.Moved) {
	for _, m := range all {
		out = append(out, transform.Moved(m))
	}
	return out
}

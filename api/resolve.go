package api

import (
	"fmt"
	"strings"

	"gatehouse/api/openapi"
	"gatehouse/config"
)

// Resolved is one route of a deployment: a route as written, an operation of
// the definition, or both.
type Resolved[P any] struct {
	At      config.Pos
	Match   Match
	Levels  []Level[P] // what is said of the route alone, the nearest first
	Request *openapi.Request
	Method  string           // what the target is asked by; "" for the client's own
	Mapping *openapi.Mapping // how requests and answers are made anew; nil where they pass as they are
	Payload string           // the format of events to functions, as a definition says it; "" where none does
	Role    config.Name      // the ARN that the integration names for its credentials; "" for none

	target  Target
	rewrite config.Template
	places  []*config.At // of what is said of it
}

// Level is what one place says of a route.
type Level[P any] struct {
	Policies *P               // nil for nothing
	Callers  *openapi.Callers // who may call, in the words of a definition; nil for nothing
}

// Target returns what answers the route; without destinations where nothing
// says it, or what says it could not be read.
func (r *Resolved[P]) Target() Target { return r.target }

// Rewrite returns the path that the target is asked for.
func (r *Resolved[P]) Rewrite() config.Template { return r.rewrite }

// Broken reports whether what a level says under key could not be read.
func (r *Resolved[P]) Broken(key string) bool {
	for _, at := range r.places {
		if at.Broken(key) {
			return true
		}
	}
	return false
}

// Says reports whether an inline route, or an operation itself, says key.
func (r *Resolved[P]) Says(key string) bool {
	for _, at := range r.places {
		if at.Has(key) {
			return true
		}
	}
	return false
}

// resolver makes the routes of one deployment.
type resolver[P any] struct {
	dep    *Deployment[P]
	report *config.Report
	tally  Tally
}

// Routes returns the routes of the deployment: those of the definition, in its
// order, and the inline ones. An inline route with the method and the path of an
// operation says more of it, and its keys win.
func (d *Deployment[P]) Routes(report *config.Report) []Resolved[P] {
	r := &resolver[P]{dep: d, report: report}
	inline := make(map[string]*Route[P])
	for i := range d.Inline {
		route := &d.Inline[i]
		if route.Match.Conditions() == "" {
			inline[shape(route.Match.Route)] = route
		}
	}
	var out []Resolved[P]
	taken := make(map[*Route[P]]bool)
	if d.Definition != nil {
		for i := range d.Definition.Operations {
			o := &d.Definition.Operations[i]
			over := inline[shape(o.Match())]
			if over != nil && taken[over] {
				over = nil // two operations of one shape, which the table reports
			}
			if over != nil {
				taken[over] = true
			}
			out = append(out, r.operation(o, over))
		}
	}
	for i := range d.Inline {
		if route := &d.Inline[i]; !taken[route] {
			out = append(out, r.route(route))
		}
	}
	r.tally.Tell(report)
	return out
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."

// shape returns a match with the names of its parameters taken out.
func shape(match string) string {
	var b strings.Builder
	for i, part := range strings.Split(strings.TrimSuffix(strings.TrimSpace(match), "/"), "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		if len(part) > 2 && part[0] == '{' && part[len(part)-1] == '}' {
			part = "{" + strings.Trim(part[len(part)-2:len(part)-1], letters) + "}"
		}
		b.WriteString(part)
	}
	return b.String()
}

// route resolves an inline route that no operation stands beside.
func (r *resolver[P]) route(route *Route[P]) Resolved[P] {
	out := Resolved[P]{At: route.At.Pos, Match: route.Match, target: route.Target, rewrite: route.Rewrite}
	out.Levels = []Level[P]{{Policies: &route.Policies}}
	out.places = []*config.At{&route.At}
	if !route.Target.Said() && !route.Broken("target") {
		r.report.Add(config.Problem{
			Pos: route.At.Pos, Message: `the key "target" is missing`,
			Hint: "service:NAME, http://HOST:PORT, mock, redirect:URL, or weights: {service:a: 90, service:b: 10}",
		})
	}
	return out
}

// operation resolves an operation, with what an inline route says of it, if
// any.
func (r *resolver[P]) operation(o *openapi.Operation[Keys[P]], over *Route[P]) Resolved[P] {
	out := Resolved[P]{At: o.At, Match: Match{Route: o.Match()}, Request: o.Request}
	out.Match.Pos = o.At
	var keys []*Keys[P]
	if over != nil {
		out.At, out.Match.Pos = over.At.Pos, over.Match.Pos
		out.places = append(out.places, &over.At)
		keys = append(keys, &over.Keys)
		out.Levels = append(out.Levels, Level[P]{Policies: &over.Policies})
	}
	if o.Keys != nil {
		keys = append(keys, o.Keys)
		out.Levels = append(out.Levels, Level[P]{Policies: &o.Keys.Policies})
		out.places = append(out.places, &o.Keys.At)
	}
	if o.Callers != nil && !o.Inherited {
		out.Levels = append(out.Levels, Level[P]{Callers: o.Callers})
	}
	if o.PathKeys != nil {
		keys = append(keys, o.PathKeys)
		out.Levels = append(out.Levels, Level[P]{Policies: &o.PathKeys.Policies})
		out.places = append(out.places, &o.PathKeys.At)
	}
	if o.Inherited {
		out.Levels = append(out.Levels, Level[P]{Callers: o.Callers})
	}
	r.aim(&out, o, keys)
	return out
}

// aim finds what answers an operation: the nearest target of ours, with the
// nearest rewrite; else its integration, with all that it says; else the target
// that stands beside the definition.
func (r *resolver[P]) aim(out *Resolved[P], o *openapi.Operation[Keys[P]], keys []*Keys[P]) {
	if root := r.dep.Definition.Keys; root != nil {
		keys = append(keys, root)
	}
	for _, k := range keys {
		if out.rewrite.Text == "" {
			out.rewrite = k.Rewrite
		}
		if !out.target.Said() {
			out.target = k.Target
		}
	}
	switch {
	case out.target.Said() || out.Broken("target"):
	case o.Integration != nil:
		r.integrate(out, o.Integration, o.Match())
	case r.dep.Definition.Target.Value != "":
		out.target = r.named(r.dep.Definition.Target)
	default:
		r.tally.Add(o.At, o.Match(), "nothing says what answers the operation: write target: service:NAME beside the definition's file, or x-gatehouse-target in it")
	}
}

// integrate makes the target of an integration.
func (r *resolver[P]) integrate(out *Resolved[P], i *openapi.Integration[Keys[P]], match string) {
	if !r.dep.At.Broken("variables") {
		role, why := i.Role(r.dep.Variables)
		if why != "" {
			r.tally.Add(role.At, match, why)
		}
		out.Role = role
	}
	if i.Mock != nil && i.Unread == "" {
		out.target = Target{At: i.At, Destinations: []Destination{{
			Kind: Mock, Status: i.Mock.Status, Mock: i.Mock, Weight: 1, At: i.At,
		}}}
		return
	}
	if r.dep.At.Broken("variables") {
		return
	}
	place, why := i.Place(&r.dep.Definition.Options, r.dep.Variables)
	if why != "" {
		r.tally.Add(i.At, match, why)
		return
	}
	if place.Value == "" {
		return // which the reader has reported
	}
	out.target = r.named(place)
	out.Method, out.Mapping, out.Payload = i.Method, i.Mapping, i.Payload
	if i.Keys == nil {
		return
	}
	out.Levels = append(out.Levels, Level[P]{Policies: &i.Keys.Policies})
	out.places = append(out.places, &i.Keys.At)
	if out.rewrite.Text == "" {
		out.rewrite = i.Keys.Rewrite
	}
}

// named makes a target of a name beside the definition, or of an address in it.
func (r *resolver[P]) named(name config.Name) Target {
	d, problem := parseDestination(name.Value)
	if problem == "" && d.Kind == Redirect {
		problem = "an integration is a service, an address or a mock"
	}
	if problem != "" {
		r.tally.Add(name.At, "", problem)
		return Target{At: name.At}
	}
	d.Weight, d.At = 1, name.At
	return Target{At: name.At, Destinations: []Destination{d}}
}

// Tally gathers problems that many operations share: each is told once.
type Tally struct {
	order []string
	found map[string]*tallied
}

type tallied struct {
	at    config.Pos
	where string
	more  int
}

// Add adds a problem of the route where, which stands at a place.
func (t *Tally) Add(at config.Pos, where, problem string) {
	if t.found == nil {
		t.found = make(map[string]*tallied)
	}
	if known := t.found[problem]; known != nil {
		known.more++
		return
	}
	t.found[problem] = &tallied{at: at, where: where}
	t.order = append(t.order, problem)
}

// Tell adds to report what was gathered.
func (t *Tally) Tell(report *config.Report) {
	for _, problem := range t.order {
		f := t.found[problem]
		switch {
		case f.more == 1:
			problem += " (and so of one more operation)"
		case f.more > 1:
			problem += fmt.Sprintf(" (and so of %d more operations)", f.more)
		}
		report.Add(config.Problem{Pos: f.at, Path: f.where, Message: problem})
	}
}

package gatehouse

import (
	"fmt"
	"strings"
	"time"

	"gatehouse/api"
	"gatehouse/auth"
	"gatehouse/authorize"
	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/observe/escape"
	"gatehouse/route"
	"gatehouse/throttle"
	"gatehouse/transform"
)

// defaultTimeout is how long a request may take where no route says.
const defaultTimeout = 30 * time.Second

// defaultRetries is how often a request that provably was not processed is
// tried again where no route says.
const defaultRetries = 1

// draft is a configuration compiled, before anything was leased for it.
type draft struct {
	config    *Config
	endpoints []*endpoint // every route of every stage, then the defaults
	unknown   *endpoint   // for hosts that no API names
	table     *route.Table[*endpoint]
	owners    map[string]string // host -> API, of hosts that are written out
}

// compile is pure: it reads nothing and opens nothing. What is wrong is added
// to report.
func compile(cfg *Config, report *config.Report) *draft {
	d := &draft{config: cfg, unknown: unknownHost(cfg), owners: make(map[string]string)}
	var stages []route.Stage[*endpoint]
	for _, name := range names(cfg.APIs) {
		a := cfg.APIs[name]
		a.checkCredentials(report)
		a.checkDefaults(report)
		for _, deployment := range api.Resolve(&a.Config) {
			stages = append(stages, d.deploy(a, deployment, report))
		}
	}
	d.table = route.Build(stages, report)
	d.shareMethods()
	return d
}

// unknownHost is what serves hosts that no API names: the gateway's own
// throttle, and 404.
func unknownHost(cfg *Config) *endpoint {
	return &endpoint{
		throttle: throttle.PerCaller([]throttle.Level{{Name: "gateway", Scope: "gateway", Throttles: cfg.Throttle}}),
		rule:     hostRule,
	}
}

// deploy compiles one stage of one API.
func (d *draft) deploy(a *API, dep api.Deployment[Policies], report *config.Report) route.Stage[*endpoint] {
	base := a.Policies
	if dep.Own != nil {
		base = dep.Own.over(a.Policies)
	}
	fallback := d.add(d.fallback(a, dep, base))
	for _, host := range dep.Domains {
		d.owners[host] = a.Name
	}
	stage := route.Stage[*endpoint]{
		Name: a.Name + "/" + dep.Stage, Hosts: dep.Domains, Prefix: dep.Prefix.Segments(),
		Default: fallback, Options: base.CORS != nil, At: a.Pos,
	}
	for i := range a.Routes {
		r := &a.Routes[i]
		match, err := route.ParseMatch(r.Match.Route)
		if err != nil {
			report.Errorf(r.Match.Pos, "%v", err)
			continue
		}
		e := d.endpoint(a, dep, r.Policies.over(base), &exchange.Rule{Filter: "route", Name: match.String(), At: r.Pos})
		e.name, e.at, e.methods, e.target, e.fallback = match.String(), r.Pos, match.Methods, r.Target, fallback
		if len(r.Policies.Throttle) > 0 {
			e.throttle = append(e.throttle, throttle.Level{Name: "route", Scope: a.Name + "/" + dep.Stage + "/" + e.name + narrowing(r.Match), Throttles: r.Policies.Throttle})
		}
		scope := transform.Scope{Params: match.Pattern.Params(), Greedy: match.Pattern.Greedy(), Variables: dep.Variables}
		e.rewrite = transform.CompileRewrite(r.Rewrite, r.Of("rewrite"), scope, report)
		e.policies.Headers.CheckScope(scope, report)
		d.check(a, e, report)
		stage.Routes = append(stage.Routes, route.Route[*endpoint]{
			Match: match, Headers: r.Match.Headers, Query: r.Match.Query, At: r.Pos, Value: d.add(e),
		})
	}
	return stage
}

// fallback is what serves requests of a stage that none of its routes takes. It
// lets nobody in, so there is nobody to ask for a credential, and nothing that
// everybody shares is used up.
func (d *draft) fallback(a *API, dep api.Deployment[Policies], base Policies) *endpoint {
	base.Authorize = nil
	e := d.endpoint(a, dep, base, &exchange.Rule{Filter: "route", Name: "routes of " + a.Name, At: a.Pos})
	e.throttle = throttle.PerCaller(e.throttle)
	return e
}

func (d *draft) add(e *endpoint) *endpoint {
	d.endpoints = append(d.endpoints, e)
	return e
}

// endpoint returns what all endpoints of a stage have in common.
func (d *draft) endpoint(a *API, dep api.Deployment[Policies], p Policies, rule *exchange.Rule) *endpoint {
	e := &endpoint{
		api: a.Name, stage: dep.Stage, hosts: dep.Domains, prefix: dep.Prefix, variables: dep.Variables,
		policies: p, timeout: defaultTimeout, rule: rule,
	}
	e.throttle = d.levels(a, dep)
	if p.Timeout != nil {
		e.timeout = p.Timeout.D()
	}
	if p.Limits != nil {
		e.body = int64(p.Limits.Body)
	}
	for _, o := range p.AllowPath {
		e.allowed |= o.Oddity
	}
	return e
}

// levels returns the throttles of everything above a route.
func (d *draft) levels(a *API, dep api.Deployment[Policies]) []throttle.Level {
	levels := []throttle.Level{
		{Name: "gateway", Scope: "gateway", Throttles: d.config.Throttle},
		{Name: "api", Scope: a.Name, Throttles: a.Policies.Throttle},
	}
	if dep.Own != nil {
		levels = append(levels, throttle.Level{Name: "stage", Scope: a.Name + "/" + dep.Stage, Throttles: dep.Own.Throttle})
	}
	return levels
}

// check holds a route against what it names.
func (d *draft) check(a *API, e *endpoint, report *config.Report) {
	authorize.Check(report, e.at, e.policies.Authorize, names(a.Authorizers))
	if e.policies.Authorize != nil {
		auth.CheckOrder(report, e.policies.Authorize.Any, a.Authorizers)
	}
	for _, destination := range e.target.Destinations {
		d.checkDestination(destination, report)
	}
}

func (d *draft) checkDestination(to api.Destination, report *config.Report) {
	switch to.Kind {
	case api.Service:
		if d.config.Services[to.Name] == nil {
			report.Unknown(to.At, "service", to.Name, names(d.config.Services))
		}
	case api.Function:
		report.Errorf(to.At, "this version has no functions yet: a target is a service, an address, a mock or a redirect")
	}
}

// shareMethods tells every route which methods its path takes, its own and
// those of other routes: CORS grants them by default.
func (d *draft) shareMethods() {
	type path struct{ api, stage, path string }
	of := func(e *endpoint) path {
		_, text, _ := strings.Cut(e.name, " ")
		return path{e.api, e.stage, text}
	}
	all := make(map[path]route.Methods)
	for _, e := range d.endpoints {
		all[of(e)] |= e.methods
	}
	for _, e := range d.endpoints {
		if methods := all[of(e)]; e.name != "" && methods != route.Any {
			e.corsMethods = methods.Names()
		}
	}
}

// checkDefaults holds what the API and its stages say for their routes against
// what they name, whether or not a route leaves it to them.
func (a *API) checkDefaults(report *config.Report) {
	known := names(a.Authorizers)
	a.Policies.Authorize.CheckNames(report, known)
	for _, stage := range names(a.Stages) {
		a.Stages[stage].Policies.Authorize.CheckNames(report, known)
	}
}

// narrowing is what tells routes with the same method and path apart.
func narrowing(m api.Match) string {
	if len(m.Headers)+len(m.Query) == 0 {
		return ""
	}
	return fmt.Sprint(" ", m.Headers, m.Query) // maps print in the order of their keys
}

// checkCredentials reports tokens in query parameters that logs would show.
func (a *API) checkCredentials(report *config.Report) {
	for _, name := range names(a.Authorizers) {
		c := a.Authorizers[name].JWT
		if c == nil {
			continue
		}
		for _, from := range c.From {
			if from.Place == "query" && !escape.IsCredential(from.Name) {
				report.Errorf(c.Of("from"), "a token in the query parameter %q would show in logs, which redact only well-known names: call it access_token", from.Name)
			}
		}
	}
}

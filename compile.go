package gatehouse

import (
	"time"

	"gatehouse/api"
	"gatehouse/auth"
	"gatehouse/authorize"
	"gatehouse/config"
	"gatehouse/cors"
	"gatehouse/exchange"
	"gatehouse/iam"
	"gatehouse/iam/policy"
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
	nowhere   nowhere
	table     *route.Table[*endpoint]
	owners    map[string]string // host -> API, of hosts that are written out
	users     *iam.Directory
	rights    map[string]*policy.Policy // of APIs, by name
	strange   map[string]bool           // functions that nobody knows, and that were reported
	unknown   map[config.Pos]bool       // references to web ACLs that were reported
	foreign   []warning                 // of roles that definitions name and nobody has here
}

// compile is pure: it reads nothing and opens nothing. What is wrong is added
// to report. Of a configuration that could be read in part it says nothing that
// may be due to the other part.
func compile(cfg *Config, report *config.Report) *draft {
	d := &draft{config: cfg, nowhere: nowhereOf(cfg), owners: make(map[string]string), unknown: make(map[config.Pos]bool), strange: make(map[string]bool)}
	cfg.compileACLs(report)
	d.compileIAM(report)
	var stages []route.Stage[*endpoint]
	for _, name := range names(cfg.APIs) {
		a := cfg.APIs[name]
		a.checkCredentials(report)
		a.checkDefaults(report)
		d.checkAuthorizers(a, report)
		if a.Broken("stages") && len(a.Stages) == 0 {
			continue
		}
		for _, deployment := range api.Resolve(&a.Config) {
			if stage := d.deploy(a, &deployment, report); deployment.Placed() {
				stages = append(stages, stage)
			}
		}
	}
	d.checkDoors(report)
	d.compileCedar(report)
	d.table = route.Build(stages, report)
	d.shareMethods()
	d.checkPlans(report)
	return d
}

// nowhere is what serves requests that reach no stage of any API: the gateway's
// own throttle, and 404.
type nowhere struct {
	host *endpoint // no API names the host
	path *endpoint // the stages of the host stand below other paths
}

func nowhereOf(cfg *Config) nowhere {
	return nowhere{missing(cfg, hostRule, "no-host"), missing(cfg, stageRule, "no-stage")}
}

func missing(cfg *Config, rule *exchange.Rule, reason string) *endpoint {
	return &endpoint{
		throttle: throttle.PerCaller([]throttle.Level{{Name: "gateway", Scope: "gateway", Throttles: cfg.Throttle}}),
		rule:     rule, missing: reason,
	}
}

// of returns the endpoint for a lookup that found none.
func (n nowhere) of(outcome route.Outcome) *endpoint {
	if outcome == route.NoStage {
		return n.path
	}
	return n.host
}

// deploy compiles one stage of one API.
func (d *draft) deploy(a *API, dep *api.Deployment[Policies], report *config.Report) route.Stage[*endpoint] {
	all := newDeployed(a, dep)
	d.checkACL(all.base.WAF, report)
	fallback := d.add(d.fallback(a, dep, all.base))
	for _, host := range dep.Domains {
		d.owners[host] = a.Name
	}
	stage := route.Stage[*endpoint]{
		Name: a.Name + "/" + dep.Stage, Hosts: dep.Domains, Prefix: dep.Prefix.Segments(),
		Default: fallback, Options: all.base.CORS != nil, At: dep.At.Pos,
	}
	routes := dep.Routes(report)
	for i := range routes {
		r := &routes[i]
		if r.Broken("match") {
			continue
		}
		match, err := route.ParseMatch(r.Match.Route)
		if err != nil {
			report.Errorf(r.Match.Pos, "%v", err)
			continue
		}
		e := d.endpoint(a, dep, all.policies(r), &exchange.Rule{Filter: "route", Name: match.String(), At: r.At})
		e.fallback = fallback
		d.checkACL(e.policies.WAF, report)
		d.describe(e, r, match)
		if dep.Definition != nil {
			e.binary = dep.Definition.Binary
		}
		d.check(e, a, dep, r, report)
		e.operation = d.requests(e, dep, r, report)
		e.offers = d.offers(e, a, all.tally)
		d.checkCallers(e, a, dep, r, all.tally, report)
		d.checkRole(e, a, r.Role, all.tally)
		stage.Routes = append(stage.Routes, route.Route[*endpoint]{
			Match: match, Headers: r.Match.Headers, Query: r.Match.Parameters(), At: r.At, Value: d.add(e),
		})
	}
	all.tally.Tell(report)
	return stage
}

// describe says of an endpoint which route it is.
func (d *draft) describe(e *endpoint, r *api.Resolved[Policies], match route.Match) {
	e.name, e.at, e.methods = match.String(), r.At, match.Methods
	e.conditions, e.shape, e.method, e.mapping = r.Match.Conditions(), match.Pattern.Shape(), r.Method, r.Mapping
	e.headIsGet = match.Methods.HeadIsGet()
	if e.policies.Payload == "" {
		e.policies.Payload = r.Payload
	}
	e.params, e.greedy = match.Pattern.Params(), match.Pattern.Greedy()
	if own := e.policies.Throttle; len(own) > 0 {
		e.throttle = append(e.throttle, throttle.Level{Name: "route", Scope: e.scope(), Throttles: own})
	}
	e.atOnce = append(e.atOnce, throttle.ConcurrentLevel{Name: "route", Scope: e.scope(), Limit: e.policies.Concurrent})
}

// check compiles what a route says in words of its own, and holds it against
// the rest of the configuration.
func (d *draft) check(e *endpoint, a *API, dep *api.Deployment[Policies], r *api.Resolved[Policies], report *config.Report) {
	scope := transform.Scope{Route: e.name, Stage: dep.Stage, Params: e.params, Greedy: e.greedy, Variables: dep.Variables}
	if !dep.At.Broken("variables") {
		e.target = r.Target().In(dep.Variables, dep.Stage, report)
		rewrite := r.Rewrite()
		e.rewrite = transform.CompileRewrite(rewrite.Text, rewrite.At, scope, report)
		e.checkRewrite(rewrite.At, report)
		e.canary = d.canary(e, r, scope, report)
		e.shadow = d.shadow(e, dep.Stage, report)
		e.policies.Headers.CheckScope(scope, report)
	}
	for _, destination := range e.target.Destinations {
		d.checkDestination(destination, report)
	}
}

// checkCallers reports a route of which nobody says who may call it, or by whom
// nobody knows. Of the operations of a definition that is told once.
func (d *draft) checkCallers(e *endpoint, a *API, dep *api.Deployment[Policies], r *api.Resolved[Policies], tally *api.Tally, report *config.Report) {
	switch {
	case callersBroken(a, dep, r):
	case e.policies.Authorize == nil && r.Request != nil && e.policies.APIKey != nil:
		tally.Add(e.at, e.name, "nobody says who may call this, and an API key is no authorization: beside the definition write authorize: NAME with an authorizer, or authorize: none to let everybody in who has a key")
	case e.policies.Authorize == nil && r.Request != nil:
		tally.Add(e.at, e.name, "nobody says who may call this: beside the definition write authorize: NAME with an authorizer, or authorize: none to publish what it says no security for")
	default:
		authorize.Check(report, e.at, e.policies.Authorize, names(a.Authorizers))
		e.checkOrder(a, report)
		e.rights = d.rightsOf(a, dep, e)
	}
}

// fallback is what serves requests of a stage that none of its routes takes. It
// lets nobody in, so there is nobody to ask for a credential, and nothing that
// everybody shares is used up.
func (d *draft) fallback(a *API, dep *api.Deployment[Policies], base Policies) *endpoint {
	base.Authorize, base.APIKey = nil, nil
	e := d.endpoint(a, dep, base, &exchange.Rule{Filter: "route", Name: "routes of " + a.Name, At: a.Pos})
	e.throttle, e.missing = throttle.PerCaller(e.throttle), "no-route"
	return e
}

func (d *draft) add(e *endpoint) *endpoint {
	d.endpoints = append(d.endpoints, e)
	return e
}

// endpoint returns what all endpoints of a stage have in common.
func (d *draft) endpoint(a *API, dep *api.Deployment[Policies], p Policies, rule *exchange.Rule) *endpoint {
	e := &endpoint{
		api: a.Name, stage: dep.Stage, hosts: dep.Domains, prefix: dep.Prefix, skip: len(dep.Prefix.Segments()), variables: dep.Variables,
		policies: p, timeout: defaultTimeout, rule: rule,
	}
	e.throttle, e.atOnce = d.levels(a, dep), concurrent(a, dep)
	e.acl = d.config.acls[p.acl()]
	if p.Timeout != nil {
		e.timeout = p.Timeout.D()
	}
	e.body = p.Limits.Largest()
	for _, o := range p.AllowPath {
		e.allowed |= o.Oddity
	}
	return e
}

// levels returns the throttles of everything above a route.
func (d *draft) levels(a *API, dep *api.Deployment[Policies]) []throttle.Level {
	levels := []throttle.Level{
		{Name: "gateway", Scope: "gateway", Throttles: d.config.Throttle},
		{Name: "api", Scope: a.Name, Throttles: apiThrottle(a, dep)},
	}
	if dep.Own != nil {
		levels = append(levels, throttle.Level{Name: "stage", Scope: a.Name + "/" + dep.Stage, Throttles: dep.Own.Throttle})
	}
	return levels
}

// checkRewrite reports a rewrite that comes to nothing, or that a client can
// leave.
func (e *endpoint) checkRewrite(at config.Pos, report *config.Report) {
	if e.rewrite == nil {
		return
	}
	for _, to := range e.target.Destinations {
		if to.Kind == api.Mock || to.Kind == api.Redirect {
			report.Errorf(at, "a %s is sent no path: remove rewrite", to.Kind)
			return
		}
	}
	if e.allowed&exchange.DotSegment != 0 && e.rewrite.HasParams() {
		report.Errorf(at, "with dot-segment under allow-path a client can leave the path of the rewrite by {parameters}: remove one of the two")
	}
}

// checkOrder reports authorizers that are never asked.
func (e *endpoint) checkOrder(a *API, report *config.Report) {
	if e.policies.Authorize != nil {
		auth.CheckOrder(report, e.policies.Authorize.Any, a.Authorizers)
	}
}

// callersBroken reports whether it could not be read who may call a route.
func callersBroken(a *API, dep *api.Deployment[Policies], r *api.Resolved[Policies]) bool {
	const key = "authorize"
	return r.Broken(key) || dep.At.Broken(key) || a.Broken(key) || a.Broken("authorizers") && len(a.Authorizers) == 0
}

func (d *draft) checkDestination(to api.Destination, report *config.Report) {
	switch to.Kind {
	case api.Service:
		unread := d.config.Broken("include") || d.config.Broken("services") && len(d.config.Services) == 0
		if d.config.Services[to.Name] == nil && !unread {
			report.Unknown(to.At, "service", to.Name, names(d.config.Services))
		}
	case api.Function:
		d.checkFunction(to, report)
	}
}

// shareMethods tells every route which methods its path takes, its own and
// those of other routes under the same CORS, which grants them by default.
func (d *draft) shareMethods() {
	type path struct {
		api, stage, shape string
		cors              *cors.Config
	}
	of := func(e *endpoint) path { return path{e.api, e.stage, e.shape, e.policies.CORS} }
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
	if a.Broken("authorizers") && len(a.Authorizers) == 0 {
		return
	}
	known := names(a.Authorizers)
	if !a.Broken("authorize") {
		a.Policies.Authorize.CheckNames(report, known)
	}
	for _, stage := range names(a.Stages) {
		if s := a.Stages[stage]; !s.Broken("authorize") {
			s.Policies.Authorize.CheckNames(report, known)
		}
	}
}

// scope tells a route from every other, across reloads.
func (e *endpoint) scope() string {
	scope := e.api + "/" + e.stage + "/" + e.name
	if e.conditions != "" {
		scope += " " + e.conditions
	}
	return scope
}

// checkCredentials reports tokens in query parameters that logs would show.
func (a *API) checkCredentials(report *config.Report) {
	for _, name := range names(a.Authorizers) {
		params, at := a.Authorizers[name].QueryParameters()
		for _, param := range params {
			if !escape.IsCredential(param) {
				report.Errorf(at, "a credential in the query parameter %q would show in logs, which redact only well-known names: call it access_token", param)
			}
		}
	}
}

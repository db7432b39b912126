package gatehouse

import (
	"fmt"
	"slices"

	"gatehouse/api"
	"gatehouse/config"
	"gatehouse/throttle"
	"gatehouse/usage"
)

// concurrent returns the limits of an API and a stage on what callers have under
// way.
func concurrent(a *API, dep *api.Deployment[Policies]) []throttle.ConcurrentLevel {
	levels := []throttle.ConcurrentLevel{{Name: "api", Scope: a.Name, Limit: a.Policies.Concurrent}}
	if dep.Own != nil {
		levels = append(levels, throttle.ConcurrentLevel{Name: "stage", Scope: a.Name + "/" + dep.Stage, Limit: dep.Own.Concurrent})
	}
	return levels
}

// offers returns the plans whose keys a route takes, and reports a route that
// wants a key which nobody can have. Of the operations of a definition that is told
// once.
func (d *draft) offers(e *endpoint, a *API, tally *api.Tally) []usage.Offer {
	if e.policies.APIKey == nil || e.policies.APIKey.Want != usage.Required {
		return nil
	}
	var plans []*usage.Plan
	for _, name := range names(d.config.Plans) {
		plans = append(plans, d.config.Plans[name])
	}
	offers := usage.OffersFor(plans, e.api, e.stage, e.name)
	if len(offers) == 0 && !d.config.Broken("usage-plans") {
		tally.Add(e.policies.APIKey.At, e.name, fmt.Sprintf("an API key is wanted and no usage plan holds for %s/%s, so nobody could call: write usage-plans: {NAME: {quota: {limit: 1000, per: day}, apis: [%s]}}", e.api, e.stage, e.api))
	}
	if e.policies.APIKey.Source == usage.Authorizer && !e.asksProgram(a) {
		tally.Add(e.policies.APIKey.At, e.name, "the definition takes API keys from authorizers alone (x-amazon-apigateway-api-key-source), and none here can name one, so nobody could call: name an authorizer with http, or let the source be HEADER")
	}
	return offers
}

// asksProgram reports whether a program is among the route's authorizers: it alone
// can say which API key a caller has.
func (e *endpoint) asksProgram(a *API) bool {
	if e.policies.Authorize == nil {
		return false
	}
	return slices.ContainsFunc(e.policies.Authorize.Any, func(n config.Name) bool {
		c := a.Authorizers[n.Value]
		return c == nil || c.HTTP != nil
	})
}

// checkPlans reports plans for what is not there. The endpoints are compiled.
func (d *draft) checkPlans(report *config.Report) {
	if d.config.Broken("apis") && len(d.config.APIs) == 0 || d.config.Broken("include") {
		return
	}
	for _, name := range names(d.config.Plans) {
		for i := range d.config.Plans[name].APIs {
			d.checkPlanned(&d.config.Plans[name].APIs[i], report)
		}
	}
}

func (d *draft) checkPlanned(at *usage.Deployment, report *config.Report) {
	apiName, stage := at.Names()
	a := d.config.APIs[apiName]
	if a == nil {
		report.Unknown(at.Pos, "API", apiName, names(d.config.APIs))
		return
	}
	stages, routes := make(map[string]bool), make(map[string]bool)
	for _, e := range d.endpoints {
		if e.api != apiName {
			continue
		}
		stages[e.stage] = true
		if e.name != "" && (stage == "" || e.stage == stage) {
			routes[e.name] = true
		}
	}
	if stage != "" && !stages[stage] {
		if !a.Broken("stages") {
			report.Unknown(at.Pos, "stage of "+apiName, stage, names(stages))
		}
		return
	}
	for i := range at.Routes {
		if r := &at.Routes[i]; !routes[r.Route] && !a.Broken("routes") && !a.Broken("definition") {
			report.Unknown(r.Pos, "route of "+apiName, r.Route, names(routes))
		}
	}
}

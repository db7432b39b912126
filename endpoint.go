package gatehouse

import (
	"net/http"
	"time"

	"gatehouse/api"
	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/observe"
	"gatehouse/route"
	"gatehouse/throttle"
	"gatehouse/transform"
	"gatehouse/usage"
)

// endpoint is what a lookup leads to: one route of one stage, or a stage's
// default. Its chain references the route's own parts alone, never the
// snapshot. It is immutable once the chain is bound.
type endpoint struct {
	api         string
	stage       string
	name        string // METHOD PATH as written; "" for the default
	at          config.Pos
	hosts       []string
	prefix      api.Prefix
	variables   map[string]string
	conditions  string // that narrow it; "" for none
	shape       string // of its path, whatever the names of its parameters
	methods     route.Methods
	corsMethods []string  // what CORS grants by default; nil for every method
	fallback    *endpoint // the stage's default; nil for that itself

	policies Policies // with what the route leaves open taken from stage and API
	throttle []throttle.Level
	atOnce   []throttle.ConcurrentLevel
	offers   []usage.Offer // of the plans whose API keys the route takes
	target   api.Target
	rewrite  *transform.Rewrite
	timeout  time.Duration
	body     int64 // 0 for the listener's limit
	allowed  exchange.Oddity
	rule     *exchange.Rule
	missing  string // the reason of a 404, where the endpoint is no route

	steps  []string // the names of the chain's filters
	counts *observe.Route
	chain  http.Handler
}

// describe writes into x whose route it is.
func (e *endpoint) describe(x *exchange.Exchange) {
	x.API, x.Stage, x.Route, x.RouteAt = e.api, e.stage, e.name, e.at
	x.Variables = e.variables
	x.SetTimeout(e.timeout)
	if e.body > 0 {
		x.Body.SetLimit(e.body)
	}
}

package gatehouse

import (
	"net/http"
	"time"

	"gatehouse/api"
	"gatehouse/api/openapi"
	"gatehouse/authorize"
	"gatehouse/authorize/cedar"
	"gatehouse/config"
	"gatehouse/event"
	"gatehouse/exchange"
	"gatehouse/observe"
	"gatehouse/route"
	"gatehouse/throttle"
	"gatehouse/transform"
	"gatehouse/usage"
	"gatehouse/validate"
	"gatehouse/waf"
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
	skip        int // segments of the path that are the prefix
	headIsGet   bool
	variables   map[string]string
	conditions  string // that narrow it; "" for none
	shape       string // of its path, whatever the names of its parameters
	params      []string
	greedy      string           // the one of params that takes the rest of the path; "" for none
	method      string           // what the target is asked by; "" for the client's own
	mapping     *openapi.Mapping // how requests and answers are made anew; nil where they pass as they are
	binary      event.MediaTypes // that functions get as bytes, by the definition
	methods     route.Methods
	corsMethods []string  // what CORS grants by default; nil for every method
	fallback    *endpoint // the stage's default; nil for that itself

	operation *validate.Operation // what requests must be like; nil where nobody checks it

	policies Policies // with what the route leaves open taken from stage and API
	throttle []throttle.Level
	atOnce   []throttle.ConcurrentLevel
	offers   []usage.Offer // of the plans whose API keys the route takes
	target   api.Target
	rewrite  *transform.Rewrite
	canary   *second    // nil without
	shadow   api.Target // what gets copies; without destinations nobody
	timeout  time.Duration
	body     int64 // 0 for the listener's limit
	allowed  exchange.Oddity
	acl      *waf.ACL          // nil for none
	cedar    *cedar.Policies   // nil where no Cedar policy decides
	rights   *authorize.Rights // nil where no IAM policy decides
	rule     *exchange.Rule
	missing  string // the reason of a 404, where the endpoint is no route

	responses exchange.Responses // the API's own forms of refusals; nil for none

	doors        *doors   // the stage's; nil for none
	steps        []string // the names of the chain's filters
	counts       *observe.Route
	canaryCounts *observe.Route // nil without a canary
	chain        http.Handler
}

// describe writes into x whose route it is.
func (e *endpoint) describe(x *exchange.Exchange) {
	x.API, x.Stage, x.Route, x.RouteAt = e.api, e.stage, e.name, e.at
	x.Variables, x.Responses = e.variables, e.responses
	x.Skip, x.Verb = e.skip, x.Method
	if e.headIsGet && x.Method == http.MethodHead {
		x.Verb = http.MethodGet
	}
	x.SetTimeout(e.timeout)
	if e.body > 0 {
		x.Body.SetLimit(e.body)
	}
}

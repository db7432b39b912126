package usage

import (
	"net/http"
	"time"

	"gatehouse/exchange"
	"gatehouse/limit"
)

// Require returns the filter that lets only requests pass with an API key of one
// of the offers' plans; nil where the route wants none. The key does not travel
// on to the target.
func Require(rule *Rule, offers []Offer, k *Keeper) func(http.Handler) http.Handler {
	if rule == nil || rule.Want != Required {
		return nil
	}
	plans := make(map[string]bool)
	for _, o := range offers {
		plans[o.Plan.Name] = true
	}
	r := &exchange.Rule{Filter: "usage", Name: "api-key required", At: rule.At}
	return func(next http.Handler) http.Handler { return &gate{plans, r, rule.Source, k, next} }
}

// gate is one step of a route's path. It is immutable.
type gate struct {
	plans  map[string]bool
	rule   *exchange.Rule
	source Source
	keeper *Keeper
	next   http.Handler
}

// headerName is where clients send their API key.
const headerName = "X-Api-Key"

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	e, problem := g.identify(x, r)
	if problem != "" {
		g.refuse(w, r, e, problem)
		return
	}
	x.APIKey = &e.APIKey
	x.Trail.Add(g.rule, exchange.Passed, "")
	delete(r.Header, headerName)
	g.next.ServeHTTP(w, r)
}

// identify finds the request's key: the one that the authorizer says the caller
// has, or else the header's; where the route says a source, that one's alone.
func (g *gate) identify(x *exchange.Exchange, r *http.Request) (*entry, Problem) {
	var value string
	if x.Principal != nil && g.source != Header {
		value = x.Principal.UsageKey
	}
	if value == "" && g.source == Authorizer {
		return nil, Missing
	}
	if value == "" {
		switch values := r.Header[headerName]; len(values) {
		case 0:
			return nil, Missing
		case 1:
			value = values[0]
		default:
			return nil, Unknown
		}
	}
	e, problem := g.keeper.find(value, x.Start)
	if problem == "" && !g.plans[e.Plan] {
		return e, NoPlan
	}
	return e, problem
}

func (p Problem) detail() string {
	switch p {
	case Missing:
		return "the request carries no API key (x-api-key), and no authorizer says which one the caller has"
	case Disabled:
		return "the API key is disabled"
	case Expired:
		return "the API key has expired"
	case NoPlan:
		return "the usage plan of the API key does not hold for this API and stage"
	case Away:
		return "the state has not been read yet: nobody can tell whether the key is good"
	}
	return "there is no such API key"
}

func (g *gate) refuse(w http.ResponseWriter, r *http.Request, e *entry, p Problem) {
	f := exchange.Refusal{Status: http.StatusForbidden, Kind: exchange.InvalidAPIKey, Rule: g.rule, Reason: string(p), Detail: p.detail()}
	if e != nil {
		f.Detail += ": " + e.ID
	}
	if p == Away {
		f.Status, f.Kind, f.Retry = http.StatusServiceUnavailable, exchange.Unspecified, 5*time.Second
	}
	exchange.Refuse(w, r, f)
}

// Charge returns the filter that takes what a request uses from its key's plan:
// after all else has let the request pass. It stands behind Require; nil where
// that is.
func Charge(rule *Rule, offers []Offer, k *Keeper, lease *limit.Lease) func(http.Handler) http.Handler {
	if rule == nil || rule.Want != Required {
		return nil
	}
	plans := make(map[string]*offered)
	for _, o := range offers {
		plans[o.Plan.Name] = newOffered(o, lease)
	}
	return func(next http.Handler) http.Handler { return &charge{plans, k, next} }
}

type charge struct {
	plans  map[string]*offered
	keeper *Keeper
	next   http.Handler
}

// offered is a plan as it holds on one route, compiled.
type offered struct {
	throttle     *limit.Limit // nil for none
	quota        *Quota       // nil for none
	throttleName string
	quotaName    string
	throttleRule *exchange.Rule
	quotaRule    *exchange.Rule
	policies     []string // the RateLimit-Policy field; never written to
	tell         func(*exchange.Head)
}

func newOffered(o Offer, lease *limit.Lease) *offered {
	c := &offered{quota: o.Plan.Quota}
	var list []limit.Policy
	if t := o.Throttle; t != nil {
		c.throttle = lease.Limit(o.Scope, t.Rate, t.burst())
		c.throttleName = "plan-" + o.Plan.Name
		c.throttleRule = &exchange.Rule{Filter: "usage", Name: "plan " + o.Plan.Name + ": " + t.Rate.String(), At: t.Pos}
		list = append(list, limit.Policy{Name: c.throttleName, Quota: int64(c.throttle.Burst()), Window: c.throttle.Window()})
	}
	if q := o.Plan.Quota; q != nil {
		c.quotaName = "plan-" + o.Plan.Name + "-" + string(q.Per)
		c.quotaRule = &exchange.Rule{Filter: "usage", Name: "plan " + o.Plan.Name + ": " + q.String(), At: q.Pos}
		list = append(list, limit.Policy{Name: c.quotaName, Quota: q.Limit, Window: q.Per.length()})
	}
	if len(list) > 0 {
		c.policies = []string{limit.Policies(list)}
	}
	c.tell = func(h *exchange.Head) { limit.TellPolicies(h, c.policies) }
	return c
}

func (f *charge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	o := f.plans[x.APIKey.Plan]
	if len(o.policies) > 0 {
		x.OnHead(o.tell)
	}
	token, ok := o.admit(w, r, x)
	if !ok {
		return
	}
	if o.quota != nil && !f.count(w, r, x, o) {
		if o.throttle != nil {
			o.throttle.Give(o.throttle.Name(x.APIKey.ID), token)
		}
		return
	}
	f.next.ServeHTTP(w, r)
}

// admit takes a token of the plan's throttle, or refuses.
func (o *offered) admit(w http.ResponseWriter, r *http.Request, x *exchange.Exchange) (limit.Result, bool) {
	if o.throttle == nil {
		return limit.Result{}, true
	}
	token := o.throttle.Take(o.throttle.Name(x.APIKey.ID))
	left := exchange.RateLimit{Policy: o.throttleName, Remaining: token.Remaining, Reset: token.Reset}
	if !token.OK {
		left.Reset = token.Retry
	}
	limit.Tell(x, !token.OK, left)
	if token.OK {
		x.Trail.Add(o.throttleRule, exchange.Passed, "")
		return token, true
	}
	exchange.Refuse(w, r, exchange.Refusal{
		Status: http.StatusTooManyRequests, Rule: o.throttleRule, Reason: "plan-rate",
		Detail: "the API key calls more often than its plan grants: " + x.APIKey.ID, Retry: token.Retry,
	})
	return token, false
}

// count takes one of the plan's quota, or refuses.
func (f *charge) count(w http.ResponseWriter, r *http.Request, x *exchange.Exchange, o *offered) bool {
	left, end, ok := f.keeper.take(x.APIKey.ID, o.quota, x.Start)
	until := end.Sub(x.Start)
	limit.Tell(x, !ok, exchange.RateLimit{Policy: o.quotaName, Remaining: int(left), Reset: until})
	if ok {
		x.Trail.Add(o.quotaRule, exchange.Passed, "")
		return true
	}
	exchange.Refuse(w, r, exchange.Refusal{
		Status: http.StatusTooManyRequests, Kind: exchange.QuotaExceeded, Type: "LimitExceededException", Message: "Limit Exceeded", Rule: o.quotaRule, Reason: "plan-quota",
		Detail: "the API key has used up its quota: " + x.APIKey.ID, Retry: until,
	})
	return false
}

// take counts one use of a key.
func (k *Keeper) take(id string, q *Quota, now time.Time) (left int64, end time.Time, ok bool) {
	left, end, ok = k.meters.of(id).take(q, now)
	if p := k.meters.partOf(id); ok && !p.dirty.Load() {
		p.dirty.Store(true)
	}
	return left, end, ok
}

package throttle

import (
	"fmt"
	"net/http"
	"time"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/limit"
)

// Concurrent is how much each caller may have under way at once. A number alone
// is one too.
type Concurrent struct {
	config.At
	Limit int `yaml:"limit,required" range:"1..1048576" doc:"requests that each caller may have under way at once"`
	Per   Per `yaml:"per" default:"principal" enum:"principal|api-key|ip" doc:"who is a caller: principal, api-key or ip"`
}

// UnmarshalConfig reads a number alone, or a section.
func (c *Concurrent) UnmarshalConfig(n *config.Node) {
	if n.Kind() == config.Scalar {
		n.Decode(&c.Limit)
		c.Per = Principal
		if c.Limit < 1 || c.Limit > 1<<20 {
			n.Errorf("a limit is from 1 to 1048576")
		}
		return
	}
	type section Concurrent
	n.Decode((*section)(c))
}

// ConfigSchema implements config.Schemer.
func (Concurrent) ConfigSchema() *config.Schema {
	type section Concurrent
	return &config.Schema{AnyOf: []*config.Schema{{Type: "integer"}, config.SchemaOf(section{})}}
}

// ConcurrentLevel is the limit of one place in the configuration.
type ConcurrentLevel struct {
	Name  string // "route", "stage", "api"
	Scope string // callers of equal scopes share what they may have
	Limit *Concurrent
}

// AtOnce returns the filter of limits on what callers have under way; nil where
// there is none. A request holds its slots until it has been served; WebSockets,
// which outlive theirs, have a limit of their own.
func AtOnce(levels []ConcurrentLevel, slots *limit.Slots) func(http.Handler) http.Handler {
	var list []concurrent
	for _, l := range levels {
		if l.Limit == nil {
			continue
		}
		list = append(list, concurrent{
			scope: l.Scope + " " + l.Name, most: l.Limit.Limit, per: l.Limit.Per,
			rule: &exchange.Rule{Filter: "throttle", Name: fmt.Sprintf("%s: %d at once per %s", l.Name, l.Limit.Limit, l.Limit.Per), At: l.Limit.Pos},
		})
	}
	if len(list) == 0 {
		return nil
	}
	return func(next http.Handler) http.Handler { return &atOnce{list, slots, next} }
}

type concurrent struct {
	scope string
	most  int
	per   Per
	rule  *exchange.Rule
}

// atOnce is one step of a route's path. It is immutable.
type atOnce struct {
	limits []concurrent
	slots  *limit.Slots
	next   http.Handler
}

func (f *atOnce) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	for i := range f.limits {
		c := &f.limits[i]
		name := c.name(x)
		if !f.slots.Acquire(c.scope, name, c.most) {
			exchange.Refuse(w, r, exchange.Refusal{
				Status: http.StatusTooManyRequests, Rule: c.rule, Reason: "concurrent-" + string(c.per),
				Detail: "the caller has as many requests under way as it may", Retry: time.Second,
			})
			return
		}
		defer f.slots.Release(c.scope, name) // also where the target panics
	}
	x.Trail.Add(f.limits[0].rule, exchange.Passed, "")
	f.next.ServeHTTP(w, r)
}

// name is whom a request counts for.
func (c *concurrent) name(x *exchange.Exchange) string {
	switch {
	case c.per == Principal && x.Principal != nil:
		return x.Principal.ID
	case c.per == APIKey && x.APIKey != nil:
		return x.APIKey.ID
	}
	return limit.Subscriber(x.Client).String()
}

// Package throttle refuses requests that come too often.
//
// It is two filters: one by the client's address, before anything else is
// spent on a stranger, and one by route and caller, after authorization, so
// that what is refused before it charges nobody.
package throttle

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"gatehouse/exchange"
	"gatehouse/limit"
)

// Level is the throttles of one place in the configuration: of a route, its
// stage, its API or the gateway.
type Level struct {
	// Name is what the level is called in the RateLimit-Policy field:
	// "route", "stage", "api", "gateway".
	Name string
	// Scope is what the level is: requests of equal scopes share buckets,
	// and a reload that has the scope again keeps them: "shop/prod".
	Scope string
	// Throttles all apply.
	Throttles []Config
}

// ByAddress returns the filter of the throttles per ip among levels; nil where
// there is none.
func ByAddress(levels []Level, lease *limit.Lease) func(http.Handler) http.Handler {
	return build(levels, lease, func(p Per) bool { return p == IP })
}

// ByCaller returns the filter of all other throttles among levels; nil where
// there is none.
func ByCaller(levels []Level, lease *limit.Lease) func(http.Handler) http.Handler {
	return build(levels, lease, func(p Per) bool { return p != IP })
}

// PerCaller returns levels without the throttles that everybody shares. Requests
// for what nobody offers are counted by these alone: they come from strangers,
// and would use up what is meant for those who are let in.
func PerCaller(levels []Level) []Level {
	out := make([]Level, len(levels))
	for i, l := range levels {
		l.Throttles = slices.DeleteFunc(slices.Clone(l.Throttles), func(c Config) bool { return c.Per == Route })
		out[i] = l
	}
	return out
}

// throttle is one limit of a filter.
type throttle struct {
	limit  *limit.Limit
	per    Per
	rule   *exchange.Rule
	policy string // its name in the fields
}

// filter is one step of a route's path. It is immutable.
type filter struct {
	throttles []throttle
	field     []string // the RateLimit-Policy field; never written to
	tell      func(*exchange.Head)
	next      http.Handler
}

func build(levels []Level, lease *limit.Lease, wanted func(Per) bool) func(http.Handler) http.Handler {
	var throttles []throttle
	for _, per := range []Per{IP, Principal, APIKey, Route} { // the narrow ones first: see take
		for _, level := range levels {
			if wanted(per) {
				throttles = append(throttles, level.build(per, lease)...)
			}
		}
	}
	if len(throttles) == 0 {
		return nil
	}
	field := []string{policies(throttles)}
	return func(next http.Handler) http.Handler {
		f := &filter{throttles: throttles, field: field, next: next}
		f.tell = func(h *exchange.Head) { limit.TellPolicies(h, f.field) }
		return f
	}
}

func (l Level) build(per Per, lease *limit.Lease) []throttle {
	var out []throttle
	for i, c := range l.Throttles {
		if c.Per != per {
			continue
		}
		// Of several throttles with the same per, each is told from the others by
		// its place: a reload that changes rates finds the buckets again.
		name := l.Name
		if per != Route {
			name += "-" + string(per)
		}
		if n := count(l.Throttles[:i], per); n > 0 {
			name += "-" + strconv.Itoa(n+1)
		}
		out = append(out, throttle{
			limit:  lease.Limit(l.Scope+" "+name, c.Rate, c.BurstOrDefault()),
			per:    per,
			rule:   &exchange.Rule{Filter: "throttle", Name: l.Name + " " + c.String(), At: c.Pos},
			policy: name,
		})
	}
	return out
}

// policies writes the RateLimit-Policy field: for each throttle its name, the
// quota and the window.
func policies(throttles []throttle) string {
	list := make([]limit.Policy, len(throttles))
	for i, t := range throttles {
		list[i] = limit.Policy{Name: t.policy, Quota: int64(t.limit.Burst()), Window: t.limit.Window()}
	}
	return limit.Policies(list)
}

func count(list []Config, per Per) int {
	n := 0
	for _, c := range list {
		if c.Per == per {
			n++
		}
	}
	return n
}

func (f *filter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	x.OnHead(f.tell)
	tightest, result := f.take(x)
	if result.OK {
		x.Trail.Add(tightest.rule, exchange.Passed, "")
		f.next.ServeHTTP(w, r)
		return
	}
	exchange.Refuse(w, r, exchange.Refusal{
		Status: http.StatusTooManyRequests,
		Rule:   tightest.rule,
		Reason: "rate-" + string(tightest.per),
		Detail: detail(result),
		Retry:  result.Retry,
	})
}

func detail(r limit.Result) string {
	s := "the next token comes in " + r.Retry.Round(time.Millisecond).String()
	if r.Shared {
		s += "; the table of callers is full, and newcomers share one bucket"
	}
	return s
}

// take takes a token of every throttle, or of none: where one refuses, those
// before it get theirs back. Throttles of single callers come first, so that a
// caller over its own limit does not touch what it shares with others. It
// returns the throttle that refused, or else the one that left least.
func (f *filter) take(x *exchange.Exchange) (tightest *throttle, result limit.Result) {
	var shared uint64
	for i := range f.throttles {
		t := &f.throttles[i]
		r := t.limit.Take(t.key(x))
		if tightest == nil || !r.OK || r.Remaining < result.Remaining {
			tightest, result = t, r
		}
		if !r.OK {
			f.giveBack(x, i, shared)
			break
		}
		if r.Shared {
			shared |= 1 << i // beyond 64 nothing: the token then goes back to the caller's own bucket
		}
	}
	limit.Tell(x, !result.OK, exchange.RateLimit{Policy: tightest.policy, Remaining: result.Remaining, Reset: window(result)})
	return tightest, result
}

// window is how long a caller that uses no more than what is left is never
// refused: until all is there again. For one that is refused it ends with
// Retry-After, which must not end before it.
func window(r limit.Result) time.Duration {
	if r.OK {
		return r.Reset
	}
	return r.Retry
}

// giveBack returns the tokens of the first n throttles; shared has a bit for
// each that came from a shared bucket.
func (f *filter) giveBack(x *exchange.Exchange, n int, shared uint64) {
	for i := range f.throttles[:n] {
		t := &f.throttles[i]
		t.limit.Give(t.key(x), limit.Result{OK: true, Shared: shared>>i&1 == 1})
	}
}

func (t *throttle) key(x *exchange.Exchange) limit.Key {
	switch {
	case t.per == Route:
		return t.limit.All()
	case t.per == Principal && x.Principal != nil:
		return t.limit.Name(x.Principal.ID)
	case t.per == APIKey && x.APIKey != nil:
		return t.limit.Name(x.APIKey.ID)
	}
	return t.limit.Address(x.Client)
}

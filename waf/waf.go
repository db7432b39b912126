package waf

import (
	"net/http"
	"sync"

	"gatehouse/exchange"
	"gatehouse/waf/budget"
	"gatehouse/waf/match"
	"gatehouse/waf/rule"
)

// Challenger asks browsers for a proof.
type Challenger interface {
	// Cleared reports whether the request shows that its client has passed the
	// ACL's challenge.
	Cleared(x *exchange.Exchange, r *http.Request, acl string) bool
	// Challenge answers the request with the challenge, or with a refusal where
	// the client is no browser.
	Challenge(w http.ResponseWriter, r *http.Request, acl string, rule *exchange.Rule)
}

// Keepers are what outlives the filter.
type Keepers struct {
	Counts    *Lease
	Log       Lines      // nil for none
	Always    bool       // Log gets every request, also of an ACL that has no log
	Challenge Challenger // nil for none
	Crawlers  match.Crawlers
}

// New returns the filter that holds requests against an ACL; nil for none.
func New(a *ACL, k Keepers) func(http.Handler) http.Handler {
	if a == nil {
		return nil
	}
	f := filter{acl: a, counts: k.Counts.counts(a), challenge: k.Challenge, crawlers: k.Crawlers, journal: k.journal(a)}
	return func(next http.Handler) http.Handler {
		f := f
		f.next = next
		return &f
	}
}

// filter is the step of a route's path. It is immutable.
type filter struct {
	acl       *ACL
	counts    *Counts
	challenge Challenger
	crawlers  match.Crawlers
	journal   *journal // nil for none
	next      http.Handler
}

// visit is one request under inspection. Visits are used again.
type visit struct {
	match.Request
	filter *filter
	spent  budget.Budget
	insert []header
	done   *entry // what decided; nil where something failed
	fails  failure
	refuse exchange.Refusal // of a rule set

	notes   []note // for the log
	inGroup string
}

var visits = sync.Pool{New: func() any { return &visit{} }}

func (f *filter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := visits.Get().(*visit)
	v.filter = f
	x := exchange.From(r)
	v.Begin(&f.acl.plan, f.acl.limits, f.counts.rates, x, r)
	v.Crawlers, v.Clock = f.crawlers, &v.spent
	outcome := v.inspect()
	end := ending{entry: v.done, fails: v.fails, refuse: v.refuse}
	if outcome == passes {
		v.mark()
	} else if end.entry != nil {
		end.detail = v.detail()
	}
	if f.journal != nil {
		f.journal.write(x, r, v.notes, &end, outcome, f.country(x))
	}
	v.release()
	switch outcome {
	case passes:
		f.next.ServeHTTP(w, r)
	case challenged:
		f.challenge.Challenge(w, r, f.acl.name, end.entry.rule)
	default:
		f.block(w, r, &end)
	}
}

func (v *visit) release() {
	v.End()
	clear(v.insert[:cap(v.insert)])
	clear(v.notes[:cap(v.notes)])
	*v = visit{Request: v.Request, insert: v.insert[:0], notes: v.notes[:0]}
	visits.Put(v)
}

// outcome is what becomes of a request.
type outcome uint8

const (
	passes outcome = iota
	blocked
	challenged
)

// ending is what is left of a visit that ends the request.
type ending struct {
	entry  *entry
	fails  failure
	refuse exchange.Refusal
	detail string
}

// inspect holds the request against the rules, in their order.
func (v *visit) inspect() (result outcome) {
	a := v.filter.acl
	v.spent.Begin(a.budget)
	defer v.spent.End()
	defer func() {
		if cause := recover(); cause != nil {
			result = v.broken(cause)
		}
	}()
	result, decided := v.rules(a.rules)
	if !decided {
		result, _ = v.act(&a.last, false)
	}
	return result
}

// rules goes through a list of rules, and reports whether one of them decided.
func (v *visit) rules(list []entry) (outcome, bool) {
	for i := range list {
		e := &list[i]
		result, decided := v.rule(e)
		if v.Err() != nil {
			result, decided = v.failed()
		} else if !decided && v.spent.Spent() {
			result, decided = v.overspent(e)
		}
		if decided {
			return result, true
		}
	}
	return passes, false
}

func (v *visit) rule(e *entry) (outcome, bool) {
	v.Found = match.Finding{}
	switch {
	case e.group != nil:
		return v.group(e)
	case e.engine != nil:
		return v.engine(e)
	case !e.match.Match(&v.Request) || v.Err() != nil:
		return passes, false
	}
	return v.act(e, true)
}

// act does what a rule says of a request that it matches, and reports whether that
// decides about it.
func (v *visit) act(e *entry, label bool) (outcome, bool) {
	if label {
		v.X.Labels = append(v.X.Labels, e.labels...)
	}
	kind := e.action.Kind
	if kind == rule.Challenge && v.filter.challenge.Cleared(v.X, v.R, v.filter.acl.name) {
		kind = rule.Count // as AWS WAF does with a good token
	}
	v.filter.counts.add(e.index, kind)
	if label {
		v.note(e, kind, nil)
	}
	switch kind {
	case rule.Count:
		v.insert = append(v.insert, e.insert...)
		v.X.Trail.Add(e.rule, exchange.Counted, v.detail())
		return passes, false
	case rule.Block:
		v.done = e
		return blocked, true
	case rule.Challenge:
		v.done = e
		return challenged, true
	}
	v.done = e
	v.insert = append(v.insert, e.insert...)
	if label {
		v.X.Trail.Add(e.rule, exchange.Allowed, v.detail())
	} else {
		v.X.Trail.Add(e.rule, exchange.Passed, "")
	}
	return passes, true
}

// group goes through a group's rules. What they decide is counted alone where the
// ACL says so of the group.
func (v *visit) group(e *entry) (outcome, bool) {
	v.inGroup = e.name
	result, decided := v.rules(e.group)
	v.inGroup = ""
	if !decided || v.done == nil {
		return result, decided
	}
	v.X.Labels = append(v.X.Labels, e.labels...)
	if !e.counts {
		return result, true
	}
	v.filter.counts.add(e.index, rule.Count)
	v.X.Trail.Add(e.rule, exchange.Counted, "in place of what "+v.done.name+" does")
	v.done, v.refuse = nil, exchange.Refusal{}
	return passes, false
}

// engine asks a rule set.
func (v *visit) engine(e *entry) (outcome, bool) {
	v.spent.Pause() // it has a budget of its own
	defer v.spent.Resume()
	verdict := e.engine.Inspect(v.X, v.R, v.filter.late(v.X, v.R, e))
	for _, reason := range [...]string{verdict.Failed, verdict.Unseen} {
		if reason != "" {
			v.filter.counts.fail(reason)
		}
	}
	v.X.Labels = append(append(v.X.Labels, verdict.Labels...), e.labels...)
	switch {
	case verdict.Refusal.Status != 0:
		v.filter.counts.add(e.index, rule.Block)
		v.note(e, rule.Block, &verdict)
		v.done, v.refuse = e, verdict.Refusal
		return blocked, true
	case verdict.Detail != "":
		v.filter.counts.add(e.index, rule.Count)
		v.note(e, rule.Count, &verdict)
		v.X.Trail.Add(e.rule, exchange.Counted, verdict.Detail)
	case len(verdict.Matches) > 0:
		v.note(e, rule.Count, &verdict)
	}
	return passes, false
}

// mark tells the service what matched.
func (v *visit) mark() {
	if !v.filter.acl.marks {
		return
	}
	for name := range v.R.Header {
		if isMark(name) {
			delete(v.R.Header, name)
		}
	}
	for _, h := range v.insert {
		v.R.Header[h.name] = append(v.R.Header[h.name], h.value)
	}
}

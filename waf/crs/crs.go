package crs

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/waf/budget"
	"gatehouse/waf/crs/coraza"
	"gatehouse/waf/crs/inspect"
)

// Set is a core-rule-set compiled. It is immutable and safe for concurrent use.
type Set struct {
	compiled
	config     *Config
	limits     Limits
	rule       *exchange.Rule
	exclusions []located
}

// compiled is what sets of the same content share.
type compiled struct {
	key    [sha256.Size]byte
	engine inspect.Engine
	slots  chan struct{} // one for each inspection that may be under way
}

// perProcessor is how many inspections for each processor are evaluated at once.
// Each holds megabytes while it is; further ones wait, holding their bodies
// alone.
const perProcessor = 4

// located is an exclusion that holds on a path: its index in the engine.
type located struct {
	index int
	path  *pathPattern // nil for everywhere
}

// Compile compiles a configuration, or takes the engine of one among old, sets
// of an earlier configuration, whose content is the same. What is wrong is added
// to the report; the set is then nil.
func Compile(c *Config, limits Limits, rule *exchange.Rule, old []*Set, report *config.Report) *Set {
	s := &Set{config: c, limits: limits, rule: rule}
	text := c.directives()
	for i := range c.Exclusions {
		at := located{index: i}
		if e := &c.Exclusions[i]; e.Path != "" {
			p, err := parsePath(e.Path)
			if err != nil {
				return nil // Check has said so
			}
			at.path = &p
		}
		s.exclusions = append(s.exclusions, at)
	}
	s.key = keyOf(text, c.Exclusions)
	for _, o := range old {
		if o != nil && o.key == s.key {
			s.compiled = o.compiled
			return s
		}
	}
	if s.engine = build(c, text, report); s.engine == nil {
		return nil
	}
	s.slots = make(chan struct{}, perProcessor*runtime.GOMAXPROCS(0))
	return s
}

// Shares reports whether two sets have one engine.
func (s *Set) Shares(o *Set) bool { return s.engine == o.engine }

// Adopt takes the engine over of one among old whose content is the same, so that
// it is there once. It is called before the set serves.
func (s *Set) Adopt(old []*Set) {
	for _, o := range old {
		if o != nil && o.key == s.key {
			s.compiled = o.compiled
			return
		}
	}
}

func keyOf(text string, exclusions []Exclusion) [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d %s", len(text), text)
	for _, e := range exclusions {
		fmt.Fprintf(h, "%v %q %q", e.Rule, e.Tag, e.Target)
	}
	var key [sha256.Size]byte
	h.Sum(key[:0])
	return key
}

// build compiles the engine: once to know the rules, and where there are
// exclusions once more with them.
func build(c *Config, text string, report *config.Report) inspect.Engine {
	engine, err := coraza.Compile(coraza.Source{Directives: text})
	if err != nil {
		at := c.Pos
		if len(c.Files) > 0 {
			at = c.Files[0].At
		}
		report.Errorf(at, "the rules cannot be compiled: %v", err)
		return nil
	}
	if len(c.Exclusions) == 0 {
		return engine
	}
	var exclusions []coraza.Exclusion
	whole := true
	for i := range c.Exclusions {
		e := &c.Exclusions[i]
		ids := e.among(engine.Rules(), report)
		whole = whole && len(ids) > 0
		exclusions = append(exclusions, coraza.Exclusion{Rules: ids, Target: e.Target})
	}
	if !whole {
		return nil
	}
	if engine, err = coraza.Compile(coraza.Source{Directives: text, Exclusions: exclusions}); err != nil {
		report.Errorf(c.Of("exclusions"), "%v", err)
		return nil
	}
	return engine
}

// among returns the numbers of the rules that an exclusion means.
func (e *Exclusion) among(rules []inspect.Rule, report *config.Report) (ids []int) {
	tags := make(map[string]bool)
	for _, r := range rules {
		for _, t := range r.Tags {
			tags[t] = true
			if e.Tag != "" && t == e.Tag {
				ids = append(ids, r.ID)
			}
		}
		if e.Tag == "" && e.Rule.First <= r.ID && r.ID <= e.Rule.Last {
			ids = append(ids, r.ID)
		}
	}
	switch {
	case len(ids) > 0:
	case e.Tag != "":
		var known []string
		for t := range tags {
			known = append(known, t)
		}
		report.Unknown(e.Of("tag"), "tag", e.Tag, known)
	default:
		report.Errorf(e.Of("rule"), "there is no rule %s in this rule set", e.Rule)
	}
	return ids
}

// Finding is what the rules say of a request, or of its answer.
type Finding struct {
	inspect.Verdict
	// Refusal answers the request where it is not to pass: Status is 0 where it
	// is. Of a set that counts nothing is refused for what rules say.
	Refusal exchange.Refusal
	Reason  string // why: "rules", "body-beyond", "body-unseen", "body", "compressed", "budget", "error"; "" for nothing
	Error   error  // of an inspection that failed
	Unseen  string // why the body, or a part of it, passed unseen: "body-beyond", "body-unseen"; "" where it was seen
}

// Inspection is one request under inspection.
type Inspection struct {
	set     *Set
	session inspect.Session
	budget  budget.Budget
}

// Request inspects a request, its head and its body at once. Where answers are
// to be inspected, the returned Inspection is not nil, and is to be closed.
func (s *Set) Request(x *exchange.Exchange, r *http.Request) (Finding, *Inspection) {
	body, no := s.read(x, r)
	uninspected := no != nil && no.why == "compressed" && s.config.Mode == "count"
	if uninspected {
		body, no = sight{unseen: true}, nil
	}
	if no != nil {
		return Finding{Refusal: no.Refusal, Reason: no.why}, nil
	}
	if body.Cut && !s.limits.Beyond {
		return s.beyond(), nil
	}
	in := &Inspection{set: s}
	in.budget.Begin(s.config.Budget.D())
	in.budget.Pause() // until the engine evaluates
	in.session = s.engine.Begin(&in.budget)
	v, err := in.evaluate(x, s.request(x, r, &body))
	f := s.finding(v, err)
	switch {
	case body.Cut:
		f.Unseen = "body-beyond"
	case body.unseen && !uninspected:
		f.Unseen = "body-unseen"
	}
	if uninspected && f.Reason == "" {
		f.Reason = "compressed"
	}
	if err != nil || !s.config.Responses.wanted() || f.Refusal.Status != 0 {
		f.Matches = append(f.Matches, in.session.Close()...)
		return f, nil
	}
	// What the engine keeps until the answer comes counts as the gateway's bodies do.
	if err := x.Body.Reserve(kept + 2*int64(len(body.Data))); err != nil {
		in.session.Close()
		return Finding{Refusal: exchange.BodyRefusal(s.rule, err), Reason: "body"}, nil
	}
	return f, in
}

// kept is about what an engine keeps of a request besides its body.
const kept = 64 << 10

// evaluate has the engine look at the request, once there is room.
func (in *Inspection) evaluate(x *exchange.Exchange, r *inspect.Request) (inspect.Verdict, error) {
	if err := in.set.enter(x); err != nil {
		return inspect.Verdict{}, err
	}
	defer in.set.leave()
	return in.session.Request(r)
}

// enter waits for one of the inspections that may be under way, as long as the
// request may take.
func (s *Set) enter(x *exchange.Exchange) error {
	select {
	case s.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-x.Done():
		return x.Err()
	}
}

func (s *Set) leave() { <-s.slots }

// beyond is the finding of a body beyond the limit.
func (s *Set) beyond() Finding {
	f := Finding{Reason: "body-beyond"}
	f.Refusal = exchange.Refusal{Status: http.StatusRequestEntityTooLarge, Rule: s.rule, Reason: "waf-" + f.Reason,
		Detail: fmt.Sprintf("the body is longer than the %d bytes that are inspected", s.limits.Body), Header: http.Header{"Connection": {"close"}}}
	return f
}

func (s *Set) request(x *exchange.Exchange, r *http.Request, body *sight) *inspect.Request {
	out := &inspect.Request{Client: x.Client, Method: x.Method, Target: r.RequestURI, Proto: x.Proto, Host: r.Host, Header: fields(r, &body.Body), Body: body.Body}
	for _, e := range s.exclusions {
		if e.path == nil || e.path.matches(x.Path.Segments[min(x.Skip, len(x.Path.Segments)):]) {
			out.Excluded = append(out.Excluded, e.index)
		}
	}
	return out
}

// fields returns the request's fields with those that the engine has taken out
// of them, and without what the gateway answers itself.
func fields(r *http.Request, b *inspect.Body) http.Header {
	waits := len(r.Header["Expect"]) == 1 && strings.EqualFold(r.Header["Expect"][0], "100-continue")
	length, chunked := r.ContentLength > 0 && len(r.Header["Content-Length"]) == 0, len(r.TransferEncoding) > 0
	inflated := b.Fault == "" && len(b.Data) > 0 && len(codings(r.Header["Content-Encoding"])) > 0
	if !length && !chunked && !inflated && !waits {
		return r.Header
	}
	h := make(http.Header, len(r.Header)+2)
	for name, values := range r.Header {
		h[name] = values
	}
	if length {
		h["Content-Length"] = []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	if chunked {
		h["Transfer-Encoding"] = r.TransferEncoding
	}
	if inflated {
		delete(h, "Content-Encoding") // the rules see what it stands for
	}
	if waits {
		delete(h, "Expect") // no service is sent the client's
	}
	return h
}

// reason is how the access log names why a request was refused.
func reason(why string) string {
	if why == "rules" {
		return "waf"
	}
	return "waf-" + why
}

// finding says what becomes of a verdict.
func (s *Set) finding(v inspect.Verdict, err error) Finding {
	f := Finding{Verdict: v, Error: err}
	switch {
	case err == inspect.ErrBudget:
		f.Reason = "budget"
	case err != nil:
		f.Reason = "error"
	case v.Blocked:
		f.Reason = "rules"
	}
	if f.Reason == "" || f.Reason == "rules" && s.config.Mode == "count" || err != nil && s.config.OnError == "pass" {
		return f
	}
	f.Refusal = exchange.Refusal{Status: http.StatusForbidden, Rule: s.rule, Reason: reason(f.Reason), Kind: exchange.WAFFiltered, Detail: f.detail()}
	return f
}

package compress

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"gatehouse/exchange"
)

// ask is one request: what its client takes, and later the filter of the
// answer's body. Asks are used again, with the funcs that they lend out.
type ask struct {
	*policy
	accept accept
	want   coding // identity for a plain body
	why    string // it is plain

	x    *exchange.Exchange // set with the body filter
	shop shop
	work *machine
	busy bool // within the encoder

	hook func(*exchange.Head)
	then func(*exchange.Head, []byte, bool) []byte
	make func(io.Writer) exchange.BodyFilter
}

var asks = sync.Pool{New: func() any { return new(ask) }}

// ask reads what the client takes. The ask gives itself back once its hook has
// run and, where it codes the body, once that has ended.
func (p *policy) ask(r *http.Request) *ask {
	a := asks.Get().(*ask)
	if a.hook == nil {
		a.hook, a.then, a.make = a.onHead, a.looked, a.open
	}
	a.policy = p
	a.accept = parseAccept(r.Header["Accept-Encoding"])
	a.want, a.why = a.accept.choose(p.offers), ""
	switch {
	case a.want == identity:
		a.why = "the client takes none of these"
	case noTransform(r.Header):
		a.want, a.why = identity, "the client says no-transform"
	case !p.crossSite && risky(r.Header):
		a.want, a.why = identity, "a page of another site asks, with the reader's credentials"
	}
	return a
}

func (a *ask) release() {
	*a = ask{hook: a.hook, then: a.then, make: a.make}
	asks.Put(a)
}

func (a *ask) pass(x *exchange.Exchange, why string) {
	x.Trail.Add(a.rule, exchange.Passed, why)
	a.release()
}

// onHead decides by the answer's head, as far as that suffices.
func (a *ask) onHead(h *exchange.Head) {
	verdict, why := a.judge(h)
	if verdict != leave {
		addVary(h.Header)
	}
	switch {
	case why == codedBefore && !a.reads(h.Header["Content-Encoding"]):
		a.pass(h.Exchange, "the service has coded it as the client did not ask")
	case verdict != code:
		a.pass(h.Exchange, why)
	case a.want == identity:
		a.pass(h.Exchange, a.why)
	default:
		a.measure(h)
	}
}

// reads reports whether the client takes the codings of a service, as far as
// they are known here.
func (a *ask) reads(encodings []string) bool {
	for _, line := range encodings {
		if c, ok := codingOf(strings.Trim(line, " \t")); ok && a.accept.takes(c) == 0 {
			return false
		}
	}
	return true
}

const tooSmall = "the body is too small"

// measure decides by the body's length; where nobody knows it, by as much of
// the body as there is before the target flushes.
func (a *ask) measure(h *exchange.Head) {
	least := a.least()
	switch length := lengthOf(h.Header); {
	case length >= 0 && length < int64(least):
		a.pass(h.Exchange, tooSmall)
	case length >= 0 || least == 0 || !h.HasBody():
		if !a.code(h) {
			a.release()
		}
	default:
		h.Look(least-1, a.then)
	}
}

// least is how long a body must be to be coded. No body is coded where there
// is none, and every other where the client can take it in no other way.
func (a *ask) least() int {
	if a.accept.refusesPlain() {
		return 1
	}
	return max(a.minimum, 1)
}

func (a *ask) looked(h *exchange.Head, body []byte, complete bool) []byte {
	if complete && len(body) < a.least() {
		a.pass(h.Exchange, tooSmall)
	} else if !a.code(h) {
		a.release()
	}
	return body
}

// code makes the answer a coded one, and reports whether there is a body that
// needs the ask further on. An answer to HEAD has the head alone.
func (a *ask) code(h *exchange.Head) bool {
	x := h.Exchange
	a.shop = a.shops[a.want]
	if h.HasBody() && !a.keeper.take(a.shop.cost) {
		x.Trail.Add(a.rule, exchange.Failed, "the memory for encoders is used up")
		return false
	}
	name := contentEncodings[a.want]
	x.Trail.Add(a.rule, exchange.Changed, name[0])
	h.Header["Content-Encoding"] = name
	recode(h.Header, a.want)
	h.Filter(a.make)
	if !h.HasBody() {
		return false
	}
	x.Coding.Name = name[0]
	a.x = x
	return true
}

// contentEncodings are the field's values, shared by all answers.
var contentEncodings = [codings][]string{gzip: {"gzip"}, br: {"br"}, zstd: {"zstd"}}

// open begins the body.
func (a *ask) open(next io.Writer) exchange.BodyFilter {
	a.work = a.shop.open(next)
	return a
}

// Write implements exchange.BodyFilter.
func (a *ask) Write(p []byte) (int, error) {
	a.x.Coding.Plain += int64(len(p))
	a.busy = true
	n, err := a.work.Write(p)
	a.busy = false
	return n, err
}

// Flush implements exchange.BodyFilter: everything written so far can be
// decoded from what has been passed on.
func (a *ask) Flush() error {
	a.busy = true
	err := a.work.Flush()
	a.busy = false
	return err
}

// Close implements exchange.BodyFilter.
func (a *ask) Close() error {
	a.busy = true
	err := a.work.Close()
	a.busy = false
	a.end()
	return err
}

// Abort implements exchange.BodyFilter: the end of the coded body is left out,
// so that it cannot be taken for whole.
func (a *ask) Abort() { a.end() }

func (a *ask) end() {
	a.keeper.count(a.want, a.x.Coding.Plain, a.work.out.n)
	a.keeper.give(a.shop.cost)
	if !a.busy { // one that a panic has come through is not used again
		a.shop.close(a.work)
	}
	a.release()
}

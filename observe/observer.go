package observe

import (
	"fmt"
	"net/http"
	"time"

	"gatehouse/exchange"
	"gatehouse/observe/accesslog"
	"gatehouse/observe/metrics"
	"gatehouse/observe/trace"
)

// Route is where the requests of one route are counted. It is bound when the
// route's chain is.
type Route = metrics.Route

// Observer sees requests as one configuration says. It is immutable, a part of
// the snapshot, and safe for concurrent use.
type Observer struct {
	keeper  *Keeper
	account string
	format  *accesslog.Format
	file    *accesslog.File // nil where there is no access log
	nowhere *Route          // counts what no API serves
}

// Observer opens the access log that a checked configuration names and returns
// its Observer. The account is for $context.accountId.
func (l *Lease) Observer(c LogConfig, account string) (*Observer, error) {
	format, errs := c.compile()
	if len(errs) > 0 {
		return nil, errs[0]
	}
	o := &Observer{keeper: l.keeper, account: account, format: format, nowhere: l.Route("", "", "")}
	path := c.Access.path()
	if path == accesslog.Off {
		return o, nil
	}
	file, err := l.files.Get(path, func() (*accesslog.File, error) { return l.keeper.open(path) })
	if err != nil {
		return nil, fmt.Errorf("%s: open the access log: %w", c.Access.At, err)
	}
	o.file = file
	return o, nil
}

// File returns a log that is no access log, but is written, followed and opened
// anew as those are.
func (l *Lease) File(path string) (*accesslog.File, error) {
	return l.files.Get(path, func() (*accesslog.File, error) { return l.keeper.open(path) })
}

// Route returns the counters of a route. With an empty route they are those of
// the API's requests that no route matches; with all empty, of those that no
// API serves.
func (l *Lease) Route(api, stage, route string) *Route {
	return l.series.Route(metrics.Key{API: api, Stage: stage, Route: route})
}

// Seen is what is known of a request beside its Exchange, from Begin to Done.
type Seen struct {
	// Route is set by routing; nil counts as what no API serves.
	Route *Route
	// Canary counts what the route's canary serves; nil without one.
	Canary *Route

	userAgent string
	begun     bool
}

// Begin is called once the Exchange has begun, before any filter: it sets
// x.Trace and the trace headers that go to the target.
func (o *Observer) Begin(x *exchange.Exchange, r *http.Request) Seen {
	trace.Continue(x, r.Header)
	o.keeper.metrics.Enter(uint32(x.Trace.Span[0])) // random: any stripe will do
	return Seen{userAgent: r.Header.Get("User-Agent"), begun: true}
}

// Done is called after Finish or Abort and before Release, whatever became of
// the request: it counts, logs and remembers it. A zero Seen is that of a
// request that the engine refused before Begin.
func (o *Observer) Done(x *exchange.Exchange, seen Seen) {
	k := o.keeper
	s := k.scratch.Get().(*scratch)
	latency := time.Since(x.Start)
	seen.route(o, x).Count(s.stripe, x, latency)
	k.recent.Note(x, seen.userAgent, latency)
	if o.file != nil {
		o.print(s, x, seen.userAgent, latency)
	}
	if seen.begun {
		k.metrics.Leave(s.stripe) // last, for Await
	}
	k.scratch.Put(s)
}

// route is where a request is counted.
func (s *Seen) route(o *Observer, x *exchange.Exchange) *Route {
	switch {
	case s.Canary != nil && x.Variant == exchange.Canary:
		return s.Canary
	case s.Route != nil:
		return s.Route
	}
	return o.nowhere
}

func (o *Observer) print(s *scratch, x *exchange.Exchange, userAgent string, latency time.Duration) {
	s.record = accesslog.Record{Exchange: x, UserAgent: userAgent, Latency: latency, Account: o.account}
	s.line = o.format.Append(s.line[:0], &s.record)
	o.file.Append(s.line)
	s.record = accesslog.Record{}
	if cap(s.line) > maxScratch {
		s.line = nil
	}
}

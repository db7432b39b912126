package gatehouse

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"gatehouse/edge"
	"gatehouse/exchange"
	"gatehouse/observe"
	"gatehouse/route"
)

// The rules by which the entry itself refuses; no line of configuration says
// them.
var (
	formRule  = &exchange.Rule{Filter: "edge", Name: "request form"}
	pathRule  = &exchange.Rule{Filter: "route", Name: "one reading of a path"}
	hostRule  = &exchange.Rule{Filter: "route", Name: "unknown host"}
	stageRule = &exchange.Rule{Filter: "route", Name: "no stage at this path"}
	sniRule   = &exchange.Rule{Filter: "route", Name: "one API a TLS name"}
	panicRule = &exchange.Rule{Filter: "entry", Name: "contained panic"}
)

// visit is one request on its way through the gateway.
type visit struct {
	gateway *Gateway
	snap    *Snapshot
	x       *exchange.Exchange
	r       *http.Request
	seen    observe.Seen
	open    bool // it is a tunnel, which ends by itself
}

// ServeHTTP is where every request enters: the snapshot is loaded once, the
// Exchange begins, and the record is printed when the answer has ended.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := visit{gateway: g, snap: g.current.Load()}
	v.x, v.r = exchange.Begin(w, r, edge.ConnOf(r), g.keepers.bodies)
	v.x.Generation = v.snap.generation
	defer v.end()
	v.serve()
	v.x.Finish()
	if v.x.Tunnel.Ready() {
		v.tunnel(v.x.Tunnel)
	}
	if v.x.Aborted {
		panic(http.ErrAbortHandler) // an answer that was cut must not look complete
	}
}

// tunnel runs the tunnel that the request has become. One that has taken its
// connection over goes on without this goroutine, the request and the snapshot;
// one within a connection by HTTP/2 ends with its request.
func (v *visit) tunnel(t *exchange.Tunnel) {
	if v.r.ProtoMajor > 1 {
		t.Run()
		return
	}
	v.open = true
	e := &epilogue{v.gateway, v.snap.observer, v.x, v.seen}
	v.gateway.keepers.tunnels.Run(e.run)
}

// epilogue is what is left of a request that has become a tunnel.
type epilogue struct {
	gateway  *Gateway
	observer *observe.Observer
	x        *exchange.Exchange
	seen     observe.Seen
}

func (e *epilogue) run() {
	defer e.end()
	e.x.Tunnel.Run()
}

func (e *epilogue) end() {
	if cause := recover(); cause != nil {
		e.gateway.logPanic(e.x, cause)
	}
	e.observer.Done(e.x, e.seen)
	e.x.Release()
}

// serve brings the request into its one form and leads it to its chain.
func (v *visit) serve() {
	x, r := v.x, v.r
	x.OnHead(tellID)
	fault, fine := edge.Check(r)
	if fine {
		x.Host = edge.Host(r)
	}
	edge.Clean(x, r)
	v.seen = v.snap.observer.Begin(x, r)
	err := x.Path.Parse(edge.Target(r))
	if !fine {
		v.refuseForm(fault)
		return
	}
	if err == nil && v.snap.owned.takes(x) {
		v.serveOwned()
		return
	}
	if edge.Redirects(r) && v.snap.table.Serves(x.Host) {
		edge.Redirect(x, &x.Writer, r)
		return
	}
	if err != nil {
		v.refuse(exchange.Refusal{Status: http.StatusBadRequest, Rule: pathRule, Reason: "path", Detail: err.Error()})
		return
	}
	if v.aws() {
		return
	}
	if e := v.snap.challenged; e != nil && isChallenge(v.x) && v.snap.table.Serves(v.x.Host) {
		v.run(e)
		return
	}
	v.route()
}

// serveOwned runs the chain of a room that owns the path.
func (v *visit) serveOwned() {
	v.run(v.snap.owned.endpoint)
}

// run serves the request by an endpoint that is no API's.
func (v *visit) run(e *endpoint) {
	e.describe(v.x)
	v.seen.Route = e.counts
	e.chain.ServeHTTP(&v.x.Writer, v.r)
}

// refuseForm refuses what has no form to serve. A target that is no path, such as
// a URL with a password, is not logged.
func (v *visit) refuseForm(fault edge.Fault) {
	if p := &v.x.Path; !strings.HasPrefix(p.Raw, "/") {
		p.Raw, p.Query = "", ""
	}
	v.refuse(exchange.Refusal{Status: fault.Status, Rule: formRule, Reason: fault.Reason, Detail: fault.Detail})
}

// tellID names the request in every answer, so that whoever got it can ask for
// its trail.
func tellID(h *exchange.Head) { h.Header["X-Amzn-Requestid"] = []string{h.Exchange.ID} }

// route looks the request up and runs its chain.
func (v *visit) route() {
	x, r := v.x, v.r
	found := v.snap.lookup(x, r)
	e := found.Value
	if e == nil {
		e = v.snap.nowhere.of(found.Outcome)
	}
	x.Params = found.Params
	if found.Outcome == route.NoMethod {
		x.Allow = found.Allow.Allow()
	}
	e.describe(x)
	v.seen.Route, v.seen.Canary = e.counts, e.canaryCounts
	if odd := x.Path.Oddities &^ e.allowed; odd != 0 {
		v.refuse(exchange.Refusal{Status: http.StatusBadRequest, Rule: pathRule, Reason: "path", Detail: "the path holds " + odd.String() + " (a route may allow it by allow-path)"})
		return
	}
	if v.snap.misdirected(x) {
		v.refuse(exchange.Refusal{Status: http.StatusMisdirectedRequest, Rule: sniRule, Reason: "misdirected", Detail: "the TLS name is another API's than Host"})
		return
	}
	if door := e.doors.takes(x); door != nil {
		door.describe(x)
		v.seen.Route = door.counts
		e = door
	}
	e.chain.ServeHTTP(&x.Writer, r)
}

func (v *visit) refuse(f exchange.Refusal) { exchange.Refuse(&v.x.Writer, v.r, f) }

// end prints the record. A panic of a filter or target ends its own request
// alone: refused where nothing was sent, cut off where something was.
func (v *visit) end() {
	cause := recover()
	switch {
	case v.open:
		return
	case cause != nil && v.x.Tunnel.Ready():
		// The client has been told: only the tunnel's own end ends the connections.
		v.gateway.logPanic(v.x, cause)
		v.tunnel(v.x.Tunnel)
		if v.open {
			return
		}
		cause = nil
	}
	defer v.print() // also where a filter panics once more when it is told to give up
	if cause != nil && cause != http.ErrAbortHandler {
		v.gateway.logPanic(v.x, cause)
		if v.contain() {
			return
		}
	}
	if cause != nil {
		v.x.Abort()
		panic(http.ErrAbortHandler) // the engine closes the connection
	}
}

func (v *visit) print() {
	v.snap.observer.Done(v.x, v.seen)
	v.gateway.keepers.audit.refused(v.x)
	v.x.Release()
}

// contain answers 500 where nothing was answered yet, and reports whether it
// could. A hook may panic on the way: the record of the request is ended all
// the same.
func (v *visit) contain() (contained bool) {
	if v.x.Writer.Begun() {
		return false
	}
	defer func() {
		if cause := recover(); cause != nil {
			v.gateway.logPanic(v.x, cause)
			contained = false
		}
	}()
	v.refuse(exchange.Refusal{Status: http.StatusInternalServerError, Rule: panicRule, Reason: "panic"})
	v.x.Finish()
	return true
}

func (g *Gateway) logPanic(x *exchange.Exchange, cause any) {
	g.log.Error("a request panicked", slog.String("requestId", x.ID), slog.String("route", x.Route), slog.Any("panic", cause), slog.String("stack", string(debug.Stack())))
}

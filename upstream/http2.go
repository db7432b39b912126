package upstream

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse/exchange"
	"gatehouse/http1/wire"
	"gatehouse/upstream/target"
)

// handler2 passes requests on to a service by HTTP/2, or by what the two agree
// on. Both directions of a request flow at once, each as fast as the other side
// takes it.
type handler2 struct{ handler }

func newHandler2(r Route) http.Handler { return &handler2{handler{Route: r}} }

// call2 is one request on its way by HTTP/2. It is made for one request.
type call2 struct {
	*call
	watch watch2
	body  *sent2 // of the attempt under way; nil where there is none
	grpc  bool
	web   *webCall // a gRPC-Web call; nil for all others

	messageLimit int64 // bytes of one message of a gRPC call; 0 for any
}

// ServeHTTP implements http.Handler.
func (h *handler2) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	c := calls.Get().(*call)
	c.handler, c.w, c.r, c.x = &h.handler, w, r, x
	defer c.release()
	x.Upstream.Service = h.Service.Name()
	c2 := &call2{call: c}
	if f := c2.serve2(); f != nil {
		c2.fail2(f)
	}
}

// serve2 tries targets until one has answered, or failed in a way that forbids
// to try another.
func (c *call2) serve2() *failure {
	if f := c.prepare(); f != nil {
		return f
	}
	c.key = c.Service.key(c.x, c.r, c.out)
	c.tried = c.one[:0]
	var before *failure
	for left, again := c.Retries, 0; ; {
		f := c.try2(again > 0)
		if f != nil && f.stale && again == 0 && c.replay2() {
			again++
			continue
		}
		again = 0
		if f != nil && f.crowded && before != nil {
			return before // there is no room for another attempt
		}
		if f != nil && f.unprocessed && !c.replay2() {
			left = 0
		}
		if !c.again(f, left) {
			return f
		}
		before = f
		left--
		c.letGo(false)
		c.tried = append(c.tried, c.picked)
	}
}

// prepare looks at what kind of call it is, and reads a small body whole.
func (c *call2) prepare() *failure {
	kind := first(c.r.Header["Content-Type"])
	c.grpc = isGRPC(kind)
	if c.Service.config.translates() {
		c.web = asWeb(kind)
	}
	c.grpc = c.grpc || c.web != nil
	if c.grpc {
		return c.prepareGRPC()
	}
	return c.gather()
}

// replay2 reports whether the request can be sent once more.
func (c *call2) replay2() bool {
	if c.body != nil {
		if !c.body.leave() {
			return false
		}
		c.body = nil
	}
	return c.replay()
}

// try2 sends the request to one target and passes the answer on.
func (c *call2) try2(again bool) *failure {
	if !again {
		if f := c.pick(); f != nil {
			return f
		}
	}
	if c.endpoint.SpeaksHTTP1() {
		return c.try1()
	}
	conn, f := c.reserve()
	switch {
	case f != nil:
		return f
	case conn == nil:
		return c.try1()
	}
	c.endpoint.Requests.Add(1)
	c.x.Upstream.Attempts++
	ctx, cancel := context.WithCancelCause(c.x.Parent())
	defer cancel(nil)
	c.watch.begin(c, cancel)
	c.clock.sent = c.watch.sent
	defer c.watch.end()
	req, hints := c.request(ctx)
	resp, err := conn.RoundTrip(req)
	hints.end()
	if err != nil {
		return c.failure2(ctx, err)
	}
	c.x.Upstream.Latency = time.Since(c.watch.sent)
	c.x.Upstream.Status = resp.StatusCode
	c.deliver2(ctx, resp)
	return nil
}

// try1 sends the request to the target that was picked by HTTP/1.1, which it has
// chosen.
func (c *call2) try1() *failure {
	f := c.over1(false)
	if f != nil && f.stale && c.replay() {
		f = c.over1(true)
	}
	return f
}

func (c *call2) over1(fresh bool) *failure {
	c.endpoint.Requests.Add(1)
	c.x.Upstream.Attempts++
	if f := c.connect(fresh); f != nil {
		return f
	}
	if f := c.send(); f != nil {
		return f
	}
	head, f := c.await()
	if f != nil {
		return f
	}
	c.deliver(head)
	return nil
}

// reserve gets a place on a connection; nil for a target that has chosen
// HTTP/1.1.
func (c *call2) reserve() (*http.ClientConn, *failure) {
	began := time.Now()
	ctx, cancel := c.connectContext(began)
	defer cancel()
	p := c.Service.config.Pool
	conn, reused, err := c.endpoint.Reserve(ctx, target.HTTP2Options{Spread: p.HTTP2, Most: p.Max, Idle: p.IdleTimeout.D()})
	c.x.Upstream.Reused = reused
	if !reused {
		c.x.Upstream.Connect += time.Since(began)
	}
	if err != nil {
		return nil, c.connectFailure(err)
	}
	return conn, nil
}

// request makes what is sent. What the engine uses again is copied: the
// connection may look at it a moment longer than the request lasts.
func (c *call2) request(ctx context.Context) (*http.Request, *hints) {
	host := c.set.hosts[c.picked]
	if c.Service.config.Host == "preserve" {
		host = strings.Clone(c.r.Host)
	}
	path := c.out[:0]
	if c.Rewrite != nil {
		path = c.Rewrite(c.x, path)
	} else {
		path = c.x.Path.AppendCanonical(path)
	}
	c.out = path
	r := &http.Request{
		Method: c.r.Method, Host: host, Header: c.header2(),
		// The path is sent as it is encoded here.
		URL:   &url.URL{Scheme: "https", Host: host, Opaque: "//" + host + string(path), RawQuery: c.x.Path.Asked()},
		Proto: "HTTP/2.0", ProtoMajor: 2,
		Body: http.NoBody, ContentLength: c.x.Body.Declared(),
	}
	switch {
	case c.stream:
		c.body = c.newSent(r)
		r.Body = c.body
		if c.web != nil {
			r.ContentLength = -1
		}
	case len(c.call.body) > 0:
		r.Body = io.NopCloser(bytes.NewReader(bytes.Clone(c.call.body)))
	}
	hints := c.hints()
	return r.WithContext(hints.into(ctx)), hints
}

// header2 returns the fields that are sent.
func (c *call2) header2() http.Header {
	h := make(http.Header, len(c.r.Header)+2)
	for name, values := range c.r.Header {
		if passes(name) {
			h[name] = append([]string(nil), values...)
		}
	}
	if _, said := h["User-Agent"]; !said {
		h["User-Agent"] = nil // or the transport says its own
	}
	if acceptsTrailers(c.r.Header["Te"]) || c.grpc {
		h["Te"] = []string{"trailers"}
	}
	if c.stream && !c.grpc && !c.x.Body.Begun() && expectsContinue(c.r) {
		h["Expect"] = []string{"100-continue"} // so that the transport waits for the word
	}
	if c.web != nil {
		c.web.request(h)
	}
	if c.grpc {
		c.tellDeadline(h)
	}
	return h
}

// deliver2 passes the answer on. It does not return where that fails halfway.
func (c *call2) deliver2(ctx context.Context, resp *http.Response) {
	defer resp.Body.Close() // which waits for who reads the request's body
	defer c.endBody()
	h := c.w.Header()
	for name, values := range resp.Header {
		if !wire.HopByHop(name) {
			h[name] = values
		}
	}
	announced := c.announce2(h, resp)
	live := c.grpc && isGRPC(first(resp.Header["Content-Type"])) || isStream(h)
	c.watch.answered(live, resp.Body.Close)
	c.eager = resp.ContentLength < 0 || live
	if c.eager && c.Service.guard != nil {
		c.judgeStatus(resp.StatusCode) // nobody knows when this ends
	}
	c.stick(h, resp.StatusCode)
	c.x.Trail.Add(c.Service.rule, exchange.Passed, c.how())
	if c.web != nil && c.web.answer(h) {
		c.deliverWeb(ctx, resp)
		return
	}
	c.w.WriteHeader(resp.StatusCode)
	if c.eager && resp.Body != http.NoBody {
		c.x.Writer.Flush() // the client may wait for the head alone
	}
	if c.copy2(ctx, resp.Body, c.w) {
		c.trailer2(h, resp.Trailer, announced)
	}
	c.letGo(false)
}

// announce2 announces the trailer fields that the service has, those allowed.
func (c *call2) announce2(h http.Header, resp *http.Response) (names []string) {
	for name := range resp.Trailer {
		if wire.TrailerAllowed(name) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		h["Trailer"] = names
	}
	if len(names) > 0 && c.r.ProtoMajor == 1 && c.r.Method != http.MethodHead {
		delete(h, "Content-Length") // in HTTP/1.1 trailers follow chunks alone
	}
	return names
}

// trailer2 leaves the trailer's fields where the engine looks for them.
func (c *call2) trailer2(h http.Header, trailer http.Header, announced []string) {
	for name, values := range trailer {
		if len(values) == 0 || !wire.TrailerAllowed(name) {
			continue
		}
		for _, a := range announced {
			if a == name {
				h[name] = values
				name = ""
				break
			}
		}
		if name != "" {
			h[http.TrailerPrefix+name] = values
		}
	}
}

// copy2 passes the body on, and reports whether it was whole.
func (c *call2) copy2(ctx context.Context, from io.Reader, to io.Writer) bool {
	buf := wire.Buffer(wire.LargeBuffer)
	defer wire.Recycle(buf)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			c.watch.move()
			if _, err := to.Write(buf[:n]); err != nil {
				c.abort(&failure{reason: "client-gone", detail: "the answer could not be written: " + err.Error()})
			}
			if c.eager {
				c.x.Writer.Flush()
			}
		}
		if err == io.EOF {
			return true
		}
		if err != nil {
			c.breakOff2(c.failure2(ctx, err))
			return false
		}
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// isStream reports whether an answer is one without an end in sight, to which
// the route's timeout does not apply any more.
func isStream(h http.Header) bool {
	kind := first(h["Content-Type"])
	return strings.HasPrefix(kind, "text/event-stream") || strings.HasPrefix(kind, "multipart/x-mixed-replace")
}

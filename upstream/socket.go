package upstream

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"gatehouse/exchange"
	"gatehouse/http1/wire"
	"gatehouse/tunnel"
	"gatehouse/upstream/target"
)

// NewSocket returns the handler that passes WebSocket handshakes (RFC 6455
// section 4) on to a route's service and, where the service agrees, joins the
// two connections: it leaves in x.Tunnel, which is not nil and says what the
// tunnel may do, how to run it. What became of it is written there too.
//
// A service that speaks HTTP/2 alone gets the handshake as a GET like others.
func NewSocket(r Route, k *tunnel.Keeper) http.Handler {
	if r.Service.config.protocol() == target.HTTP2 {
		return New(r)
	}
	return &opener{handler{Route: r}, k}
}

type opener struct {
	handler
	tunnels *tunnel.Keeper
}

// joint is what a handshake has led to.
type joint struct {
	client, service tunnel.Side
	conn            *target.Conn
	endpoint        *target.Endpoint
}

// ServeHTTP implements http.Handler.
func (o *opener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	j, ok := o.open(w, r, x)
	if !ok {
		return
	}
	x.Tunnel.Open = true
	x.Tunnel.Run = func() { o.run(x, j) }
}

// run passes bytes until the tunnel has ended. It holds nothing of the request
// but its record.
func (o *opener) run(x *exchange.Exchange, j joint) {
	defer j.endpoint.Load.Add(-1)
	defer j.conn.Discard()
	ended := o.tunnels.Join(j.client, j.service, tunnel.Limits{MaxAge: x.Tunnel.MaxAge, Idle: x.Tunnel.Idle, Until: x.Tunnel.Until})
	x.Tunnel.In, x.Tunnel.Out, x.Tunnel.End = ended.In, ended.Out, string(ended.End)
	x.Trail.Add(o.Service.rule, exchange.Passed, fmt.Sprintf("a WebSocket, ended by %s: %d bytes in, %d out", ended.End, ended.In, ended.Out))
}

// open passes the handshake on. It reports false where there is no tunnel and
// the request has its answer. A tunnel holds nothing of the call.
func (o *opener) open(w http.ResponseWriter, r *http.Request, x *exchange.Exchange) (j joint, ok bool) {
	c := calls.Get().(*call)
	c.handler, c.w, c.r, c.x = &o.handler, w, r, x
	defer c.release()
	x.Upstream.Service = o.Service.Name()
	if r.ProtoMajor == 2 {
		r.Header["Sec-Websocket-Key"] = []string{newKey()} // which HTTP/2 does without
	}
	switched, f := c.handshake()
	if f != nil {
		c.fail(f)
		return j, false
	}
	if !switched {
		return j, false
	}
	j, f = c.join()
	if f != nil {
		c.fail(f)
		return j, false
	}
	return j, true
}

// handshake asks targets until one has answered, and reports whether it has
// agreed; any other answer has been passed on.
func (c *call) handshake() (switched bool, f *failure) {
	c.key = c.Service.key(c.x, c.r, c.out)
	c.tried = c.one[:0]
	var before *failure
	for left := c.Retries; ; left-- {
		switched, f = c.trySocket()
		if f != nil && f.crowded && before != nil {
			return false, before // there is no room for another attempt
		}
		if !c.again(f, left) {
			return switched, f
		}
		c.letGo(false)
		c.tried = append(c.tried, c.picked)
		before = f
	}
}

// trySocket asks one target, over a connection of the tunnel's own.
func (c *call) trySocket() (switched bool, f *failure) {
	if f := c.pick(); f != nil {
		return false, f
	}
	c.endpoint.Requests.Add(1)
	c.x.Upstream.Attempts++
	if f := c.connect(true); f != nil {
		return false, f
	}
	if f := c.sendHandshake(); f != nil {
		return false, f
	}
	return c.awaitSwitch()
}

const switching = "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

func (c *call) sendHandshake() *failure {
	delete(c.r.Header, "Te") // Connection names Upgrade alone
	c.out = c.appendHead(c.out[:0])
	c.out = append(bytes.TrimSuffix(c.out, []byte("\r\n")), switching...)
	now := time.Now()
	c.clock = clock{sent: now}
	c.in.Reset(c)
	c.conn.WaitAtLeast(now, slice)
	c.conn.ArmWrites(now.Add(c.Service.config.Timeouts.Answer.D()))
	if n, err := c.conn.Write(c.out); err != nil {
		return c.sendFailure(n, err)
	}
	return nil
}

// awaitSwitch reads heads up to that of a 101, or passes another answer on.
func (c *call) awaitSwitch() (switched bool, f *failure) {
	for range wire.MaxInformational + 1 {
		head, err := c.in.ReadHead(c.r.Method, c.w.Header())
		if err != nil {
			return false, c.answerFailure(err)
		}
		switch {
		case head.Status == http.StatusSwitchingProtocols:
			c.x.Upstream.Latency = time.Since(c.clock.sent)
			c.x.Upstream.Status = head.Status
			return true, c.accept(head)
		case head.Informational():
			c.informational(head)
			continue
		}
		c.x.Upstream.Latency = time.Since(c.clock.sent)
		c.x.Upstream.Status = head.Status
		c.keep = false
		c.deliver(head)
		return false, nil
	}
	return false, c.answerFailure(fmt.Errorf("%w: more than %d informational answers", wire.ErrBad, wire.MaxInformational))
}

// accept holds a 101 against the question (RFC 6455 section 4.1), and takes its
// fields over.
func (c *call) accept(head wire.Head) *failure {
	answer := head.Early["Sec-Websocket-Accept"]
	switch {
	case !strings.EqualFold(head.Upgrade, "websocket"):
		return c.answerFailure(fmt.Errorf("%w: a switch to another protocol than asked for", wire.ErrBad))
	case len(answer) != 1 || answer[0] != acceptance(c.r.Header["Sec-Websocket-Key"]):
		return c.answerFailure(fmt.Errorf("%w: Sec-WebSocket-Accept is not the answer to the key", wire.ErrBad))
	}
	h := c.w.Header()
	for name, values := range head.Early {
		h[name] = values
	}
	c.stick(h, head.Status)
	return nil
}

// newKey returns a Sec-WebSocket-Key.
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

// acceptance is what answers a key.
func acceptance(key []string) string {
	sum := sha1.Sum([]byte(strings.Join(key, "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// join takes the client's connection over, tells it of the switch, and hands
// both connections out of the call.
func (c *call) join() (joint, *failure) {
	if c.gone != nil {
		still := c.gone()
		c.gone = nil
		if !still {
			return joint{}, c.goneFailure()
		}
	}
	conn, head, early, err := c.x.Writer.Switch()
	if conn == nil {
		return joint{}, &failure{status: http.StatusInternalServerError, reason: "switch", detail: err.Error()}
	}
	if head != nil { // else it was sent
		err = c.tellSwitch(conn, head)
	}
	if err != nil {
		_ = conn.Close()
		c.abort(&failure{reason: "client-gone", detail: "the handshake's answer could not be written: " + err.Error()})
	}
	_ = c.conn.SetDeadline(time.Time{})
	j := joint{
		client:  tunnel.Side{Conn: conn, Early: early},
		service: tunnel.Side{Conn: c.conn.Conn, Early: bytes.Clone(c.in.Rest())},
		conn:    c.conn, endpoint: c.endpoint,
	}
	c.conn, c.endpoint = nil, nil
	c.r.Header = http.Header{} // nobody asks any more
	return j, nil
}

// tellSwitch writes the head of the 101, as the hooks have left it.
func (c *call) tellSwitch(w net.Conn, head http.Header) error {
	b := append(c.out[:0], "HTTP/1.1 101 Switching Protocols\r\n"...)
	for name, values := range head {
		if wire.HopByHop(name) || name == "Content-Length" || strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		for _, v := range values {
			b = wire.AppendField(b, name, v)
		}
	}
	c.out = append(b, switching...)
	_, err := io.Writer(w).Write(c.out)
	return err
}

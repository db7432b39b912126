package recent

import (
	"encoding/binary"
	"net/netip"
	"time"

	"gatehouse/exchange"
	"gatehouse/observe/escape"
)

const (
	maxEntry  = 2 << 10 // bytes of one entry, about: strings that come later are cut to nothing
	maxString = 384     // bytes of one string
)

// encoder appends values to a slot: strings with their length before them,
// numbers as varints. The decoder reads them in the same order.
type encoder struct {
	b   []byte
	cut bool
}

func encode(b []byte, x *exchange.Exchange, userAgent string, latency time.Duration) []byte {
	e := encoder{b: b}
	e.text(x.ID)
	e.number(x.Start.UnixNano())
	e.number(int64(x.Writer.Status()))
	e.number(x.Body.Received())
	e.number(x.Writer.Bytes())
	e.number(int64(latency))
	e.number(int64(x.Generation))
	e.flag(x.Aborted)
	e.refusal(x.Refused)
	e.text(x.API)
	e.text(x.Stage)
	e.text(x.Route)
	e.position(x.RouteAt)
	e.upstream(&x.Upstream)
	e.trail(&x.Trail)
	// What the client made long comes last, and is what is cut.
	e.text(x.Method)
	e.text(x.Host)
	e.text(x.Path.Raw)
	e.query(x.Path.Query)
	e.text(x.Proto)
	e.connection(x)
	e.text(userAgent)
	e.b = append(e.b, x.Trace.ID[:]...)
	e.flag(e.cut)
	return e.b
}

func (e *encoder) number(n int64) { e.b = binary.AppendVarint(e.b, n) }

func (e *encoder) flag(v bool) {
	if v {
		e.b = append(e.b, 1)
		return
	}
	e.b = append(e.b, 0)
}

// text appends a string, cut where it or the entry is too long.
func (e *encoder) text(s string) {
	room := min(maxString, max(maxEntry-len(e.b), 0))
	if len(s) > room {
		s, e.cut = s[:room], true
	}
	e.b = binary.AppendUvarint(e.b, uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) position(p exchange.Position) {
	e.text(p.File)
	e.number(int64(p.Line))
}

// address writes 0, 4 or 16 bytes, with their number before them.
func (e *encoder) address(a netip.Addr) {
	switch {
	case !a.IsValid():
		e.b = append(e.b, 0)
	case a.Is4():
		ip := a.As4()
		e.b = append(append(e.b, 4), ip[:]...)
	default:
		ip := a.As16()
		e.b = append(append(e.b, 16), ip[:]...)
	}
}

// query writes the length behind the text, since redaction makes it.
func (e *encoder) query(q string) {
	if len(q) > maxString {
		q, e.cut = q[:maxString], true
	}
	start := len(e.b)
	e.b = append(e.b, 0, 0)
	e.b = escape.Query(e.b, q, escape.Raw)
	n := min(len(e.b)-start-2, 0xffff)
	binary.BigEndian.PutUint16(e.b[start:], uint16(n))
	e.b = e.b[:start+2+n]
}

func (e *encoder) connection(x *exchange.Exchange) {
	c := x.Conn
	e.text(c.Listener)
	e.flag(c.TLS)
	e.address(x.Client)
	peer := c.Peer.Addr()
	if peer == x.Client {
		peer = netip.Addr{}
	}
	e.address(peer)
	if x.Principal == nil {
		e.text("")
		return
	}
	e.text(x.Principal.ID)
}

func (e *encoder) upstream(u *exchange.Upstream) {
	known := u.Service != "" || u.Target != "" || u.Attempts > 0
	e.flag(known)
	if !known {
		return
	}
	e.text(u.Service)
	e.text(u.Target)
	e.number(int64(u.Status))
	e.number(int64(u.Attempts))
	e.flag(u.Reused)
	e.number(int64(u.Queued))
	e.number(int64(u.Init))
	e.number(int64(u.Connect))
	e.number(int64(u.Latency))
	e.text(u.Error)
}

func (e *encoder) refusal(f *exchange.Refusal) {
	e.flag(f != nil)
	if f == nil {
		return
	}
	e.rule(f.Rule)
	e.text(f.Reason)
	e.text(f.Detail)
}

func (e *encoder) rule(r *exchange.Rule) {
	if r == nil {
		r = &exchange.Rule{}
	}
	e.text(r.Filter)
	e.text(r.Name)
	e.position(r.At)
}

func (e *encoder) trail(t *exchange.Trail) {
	steps := t.Steps()
	e.number(int64(len(steps)))
	for i := range steps {
		s := &steps[i]
		e.rule(s.Rule)
		e.b = append(e.b, byte(s.Decision))
		e.text(s.Detail)
	}
	e.number(int64(t.Dropped()))
}

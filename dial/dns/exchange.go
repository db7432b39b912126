package dns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"gatehouse/dial"
)

// udpSize is how large an answer over UDP may be: what passes every network
// without being cut (DNS flag day 2020).
const udpSize = 1232

// grace is how long the answer to the second of two questions is waited for once
// the first has brought addresses: some servers never answer for IPv6.
const grace = 500 * time.Millisecond

// question is one question of a lookup.
type question struct {
	msg    *dns.Msg
	conn   *dns.Conn // while it is asked
	stop   func() bool
	answer *dns.Msg // final: there are records, or there are none
	server string
	why    string // what went wrong last
}

// ask asks for records of one name, of one or two types side by side, each
// server in turn, and that as often as the settings say. Where one of the two
// has brought records, nobody is asked for the other again.
func (r *Resolver) ask(ctx context.Context, plan plan, full string, types ...uint16) (*found, *Error) {
	if _, ok := dns.IsDomainName(full); !ok {
		return nil, &Error{Name: full, Kind: Missing, Why: "not a name", TTL: longest}
	}
	questions := make([]*question, len(types))
	for i, t := range types {
		questions[i] = &question{msg: new(dns.Msg)}
		questions[i].msg.SetQuestion(full, t)
		questions[i].msg.SetEdns0(udpSize, false)
	}
	for range plan.attempts {
		for k := range plan.servers {
			if ctx.Err() != nil {
				break
			}
			i := (int(r.last.Load()) + k) % len(plan.servers)
			if r.round(ctx, plan, plan.servers[i], questions) || gather(questions).any() {
				if !plan.rotate {
					r.last.Store(uint32(i))
				} else {
					r.last.Store(uint32(i + 1))
				}
				return gather(questions), nil
			}
		}
	}
	return nil, verdict(full, questions)
}

// gather makes of the answers that there are one.
func gather(questions []*question) *found {
	f := &found{ttl: longest, negative: longest}
	for _, q := range questions {
		if q.answer != nil {
			f.server = q.server
			f.add(q.answer)
		}
	}
	return f
}

func (f *found) any() bool { return len(f.addrs)+len(f.records)+len(f.names) > 0 }

// verdict is what to make of questions that no server answered.
func verdict(full string, questions []*question) *Error {
	e := &Error{Name: full, Kind: Failed, Why: "no answer in time"}
	for _, q := range questions {
		if q.answer == nil && q.why != "" {
			e.Why, e.Server = q.why, q.server
		}
	}
	return e
}

// round asks one server all questions that are open, and reports whether none
// is any more.
func (r *Resolver) round(ctx context.Context, plan plan, server netip.AddrPort, questions []*question) bool {
	until := time.Now().Add(plan.timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(until) {
		until = d
	}
	for _, q := range questions {
		if q.answer == nil && !plan.tcp {
			q.send(ctx, server, until)
		}
	}
	open := false
	for _, q := range questions {
		if q.answer != nil {
			continue
		}
		q.server = server.String()
		if plan.tcp {
			r.overTCP(ctx, q, server, until)
		} else {
			r.await(ctx, q, server, until)
		}
		switch {
		case q.answer == nil:
			open = true
		case len(q.answer.Answer) > 0:
			until = earlier(until, time.Now().Add(grace))
		}
	}
	return !open
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// send sends the question over UDP, from a port of its own: who answers must
// know it, as the number of the question.
func (q *question) send(ctx context.Context, server netip.AddrPort, until time.Time) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp", server.String())
	if err != nil {
		q.why = unsent(err)
		return
	}
	q.pickUp(ctx, c, until)
	if err := q.conn.WriteMsg(q.msg); err != nil {
		q.why = unsent(err)
		q.hangUp()
	}
}

// pickUp makes c what the question is asked over, until the context ends.
func (q *question) pickUp(ctx context.Context, c net.Conn, until time.Time) {
	q.msg.Id = dns.Id()
	q.conn = &dns.Conn{Conn: c, UDPSize: udpSize}
	_ = c.SetDeadline(until)
	q.stop = context.AfterFunc(ctx, func() { _ = c.Close() })
}

func (q *question) hangUp() {
	q.stop()
	_ = q.conn.Close()
	q.conn = nil
}

// await waits for the answer over UDP. One that is cut is asked for again over
// TCP; a server that does not know extensions is asked without them.
func (r *Resolver) await(ctx context.Context, q *question, server netip.AddrPort, until time.Time) {
	for q.conn != nil {
		_ = q.conn.SetReadDeadline(until)
		m, err := q.read()
		q.hangUp()
		switch {
		case err != nil:
			q.why = reason(err)
			return
		case m.Truncated:
			r.overTCP(ctx, q, server, until)
			return
		case q.plain(m):
			q.send(ctx, server, until)
		default:
			q.judge(m)
			return
		}
	}
}

// plain reports whether the server wants the question without extensions, which
// it then is.
func (q *question) plain(m *dns.Msg) bool {
	if m.Rcode != dns.RcodeFormatError && m.Rcode != dns.RcodeNotImplemented || len(q.msg.Extra) == 0 {
		return false
	}
	q.msg.Extra = nil
	return true
}

// overTCP asks over TCP, for as long as is left of the attempt, and at least for
// a second.
func (r *Resolver) overTCP(ctx context.Context, q *question, server netip.AddrPort, until time.Time) {
	if least := time.Now().Add(time.Second); until.Before(least) {
		until = least
	}
	if d, ok := ctx.Deadline(); ok {
		until = earlier(until, d)
	}
	timed, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	c, err := r.options.Dialer.Dial(timed, server.String())
	if err != nil {
		q.why = "over TCP: " + err.(*dial.Error).Why()
		return
	}
	q.pickUp(timed, c, until)
	defer q.hangUp()
	if err := q.conn.WriteMsg(q.msg); err != nil {
		q.why = "over TCP: " + reason(err)
		return
	}
	m, err := q.read()
	if err != nil {
		q.why = "over TCP: " + reason(err)
		return
	}
	q.judge(m)
}

// read reads until the answer to this very question has come.
func (q *question) read() (*dns.Msg, error) {
	for {
		m, err := q.conn.ReadMsg()
		var timeout net.Error
		switch {
		case errors.As(err, &timeout), errors.Is(err, net.ErrClosed):
			return nil, err
		case err != nil && (m == nil || !m.Truncated):
			if _, udp := q.conn.Conn.(*net.UDPConn); !udp {
				return nil, err
			}
			continue // nothing that can be read: somebody else's
		}
		if answers(m, q.msg) {
			return m, nil
		}
	}
}

// answers reports whether m is an answer to asked.
func answers(m, asked *dns.Msg) bool {
	if !m.Response || m.Id != asked.Id || m.Opcode != dns.OpcodeQuery {
		return false
	}
	if len(m.Question) == 0 { // some servers leave it out where they refuse
		return m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError
	}
	a, b := m.Question[0], asked.Question[0]
	return len(m.Question) == 1 && strings.EqualFold(a.Name, b.Name) && a.Qtype == b.Qtype && a.Qclass == b.Qclass
}

// judge decides whether an answer is final, or another server is to be asked.
func (q *question) judge(m *dns.Msg) {
	switch {
	case m.Truncated:
		q.why = "the answer is cut"
	case m.Rcode == dns.RcodeNameError:
		q.answer = m
	case m.Rcode != dns.RcodeSuccess:
		q.why = dns.RcodeToString[m.Rcode]
		if q.why == "" {
			q.why = "an unknown error"
		}
	case len(m.Answer) == 0 && !m.Authoritative && !m.RecursionAvailable:
		q.why = "the server does not know the name, and asks nobody"
	default:
		q.answer = m
	}
}

// unsent is why a question could not be sent.
func unsent(err error) string {
	if isLate(err) {
		return "no answer in time"
	}
	return "the server cannot be reached"
}

// isLate reports whether time was up, or the context's end closed the connection.
func isLate(err error) bool {
	var timeout net.Error
	return errors.Is(err, net.ErrClosed) || errors.As(err, &timeout) && timeout.Timeout()
}

func reason(err error) string {
	var timeout net.Error
	switch {
	case isLate(err):
		return "no answer in time"
	case errors.As(err, &timeout):
		return "nobody listens there"
	}
	return "an answer that cannot be read"
}

package upstream

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"gatehouse/balance"
	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/upstream/ticket"
)

// Sticky is the sticky section of a service: clients keep to the target that
// first answered them, by a cookie.
type Sticky struct {
	config.At
	Cookie   string          `yaml:"cookie" doc:"the cookie's name; default: gatehouse-SERVICE"`
	TTL      config.Duration `yaml:"ttl" range:"1s..365d" doc:"how long after its last use the cookie is good; default: until the browser is closed"`
	SameSite string          `yaml:"same-site" default:"lax" enum:"lax|strict|none" doc:"whether browsers send the cookie with requests that other sites' pages make"`
}

// UnmarshalConfig reads cookie, for a cookie with every default, or a section.
func (s *Sticky) UnmarshalConfig(n *config.Node) {
	if n.Kind() == config.Map {
		type section Sticky
		n.Decode((*section)(s))
		return
	}
	s.Pos = n.Pos()
	if text, _ := n.Text(); text != "cookie" {
		n.Errorf("sessions stick by a cookie: write sticky: cookie, or sticky: {cookie: NAME, ttl: 1h}")
	}
}

// ConfigSchema implements config.Schemer.
func (Sticky) ConfigSchema() *config.Schema {
	type section Sticky
	return &config.Schema{AnyOf: []*config.Schema{{Type: "string", Enum: []any{"cookie"}}, config.SchemaOf(section{})}}
}

// Check implements config.Checker.
func (s *Sticky) Check(r *config.Report) {
	if s.Cookie != "" && !isCookieName(s.Cookie) {
		r.Errorf(s.Of("cookie"), "%q is no name of a cookie", s.Cookie)
	}
}

func isCookieName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || slices.Contains([]byte(`"(),/:;<=>?@[\]{}`), c) {
			return false
		}
	}
	return s != ""
}

// sessions is Sticky at work.
type sessions struct {
	service string
	cookie  string
	ttl     time.Duration // 0 for none
	ring    *ticket.Ring
	tail    [2][]byte // of the Set-Cookie field: plain, and over HTTPS
}

func newSessions(c *Config, ring *ticket.Ring) *sessions {
	s := &sessions{service: c.Name, cookie: c.Sticky.Cookie, ttl: c.Sticky.TTL.D(), ring: ring}
	if s.cookie == "" {
		s.cookie = "gatehouse-" + c.Name
	}
	for i, secure := range []bool{false, true} {
		b := []byte("; Path=/")
		if s.ttl > 0 {
			b = strconv.AppendInt(append(b, "; Max-Age="...), int64(s.ttl/time.Second), 10)
		}
		b = append(b, "; HttpOnly"...)
		switch site := c.Sticky.SameSite; {
		case site == "none" && secure:
			b = append(b, "; SameSite=None"...)
		case site == "strict":
			b = append(b, "; SameSite=Strict"...)
		default: // also for none without Secure, which no browser takes
			b = append(b, "; SameSite=Lax"...)
		}
		if secure {
			b = append(b, "; Secure"...)
		}
		s.tail[i] = b
	}
	return s
}

// number is what a ticket calls a target.
func number(address string) uint64 { return balance.KeyOf(address) }

// recall returns the target that a request's ticket names, among those that
// there are and that are usable; -1 for none. Old says that it is time for
// another ticket.
func (s *Service) recall(r *http.Request, now *set) (i int, old bool) {
	t, ok := s.sticky.ticket(r)
	if !ok {
		return -1, false
	}
	i, ok = now.numbers[t.Target]
	if !ok || !s.usable(now, i) {
		return -1, false
	}
	return i, s.sticky.ttl > 0 && time.Since(t.Issued) > s.sticky.ttl/4
}

// usable reports whether neither its health nor its answers keep a target out.
func (s *Service) usable(now *set, i int) bool {
	if !now.health[i].Usable() {
		return false
	}
	if s.guard == nil {
		return true
	}
	out, _, left := now.picker.Target(i).State.Ejected(s.guard.Clock)
	return !out || left == 0
}

// ticket returns the ticket that a request brings, if it is a good one.
func (s *sessions) ticket(r *http.Request) (ticket.Ticket, bool) {
	text, ok := exchange.Cookie(r, s.cookie)
	if !ok {
		return ticket.Ticket{}, false
	}
	t, ok := s.ring.Read(s.service, text)
	if !ok || s.ttl == 0 {
		return t, ok
	}
	age := time.Since(t.Issued)
	return t, age <= s.ttl && age >= -time.Minute
}

// set sets the cookie for a target.
func (s *sessions) set(h http.Header, secure bool, address string) {
	tail := s.tail[0]
	if secure {
		tail = s.tail[1]
	}
	b := make([]byte, 0, len(s.cookie)+1+ticket.Size+len(tail))
	b = append(append(b, s.cookie...), '=')
	b = s.ring.Append(b, s.service, ticket.Ticket{Target: number(address), Issued: time.Now()})
	h["Set-Cookie"] = append(h["Set-Cookie"], string(append(b, tail...)))
}

// Claims reports whether the client has a session with one of the service's
// usable targets.
func (h *handler) Claims(_ *exchange.Exchange, r *http.Request) bool {
	if h.Service.sticky == nil {
		return false
	}
	i, _ := h.Service.recall(r, h.Service.current())
	return i >= 0
}

// session is what a call knows of its client's session.
type session struct {
	target int  // one more than the target that it is with; 0 for none
	old    bool // its ticket is to be made anew
}

// wanted returns the target that the client's session is with, for the first
// attempt, as Query.Want has it.
func (c *call) wanted() int {
	if c.Service.sticky == nil || len(c.tried) > 0 {
		return 0
	}
	i, old := c.Service.recall(c.r, c.set)
	c.session = session{i + 1, old}
	return c.session.target
}

// stick gives the client a ticket for the target that answers, unless it has a
// good one: also where its own target had no room just now, to which it goes
// back. Nobody is bound to a target that fails.
func (c *call) stick(h http.Header, status int) {
	s := c.Service.sticky
	switch {
	case s == nil || status >= http.StatusInternalServerError:
		return
	case c.session.target > 0 && len(c.tried) == 0 && !(c.session.old && c.resumed()):
		return
	}
	secure := c.x.Conn.TLS || c.r.Header.Get("X-Forwarded-Proto") == "https"
	s.set(h, secure, c.endpoint.Address)
}

// resumed reports whether the answer comes from the session's target.
func (c *call) resumed() bool { return len(c.tried) == 0 && c.session.target == c.picked+1 }

// how says by what the target was picked, for the trail.
func (c *call) how() string {
	if c.Service.sticky != nil && c.resumed() {
		return "the client's session is there"
	}
	return ""
}

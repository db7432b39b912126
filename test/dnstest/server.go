// Package dnstest is a small DNS server for tests, over UDP and TCP on a free
// port.
package dnstest

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Server answers from records that a test may change at any time. It is safe for
// concurrent use.
type Server struct {
	Addr string // HOST:PORT

	mu      sync.Mutex
	records []dns.RR
	code    int           // what every answer says in place of records; 0 for none
	delay   time.Duration // before every answer
	silent  bool          // no answer over UDP
	deaf    uint16        // the type that is never answered; 0 for none
	cut     bool          // over UDP, every answer is cut
	old     bool          // extensions are not known
	noTCP   bool
	lies    bool // over UDP, answers to other questions come first
	asked   map[string]int
}

// New starts a server with records in the form of a zone's file, such as
// "orders.test. 5 IN A 10.0.0.1".
func New(t testing.TB, records ...string) *Server {
	t.Helper()
	s := &Server{asked: make(map[string]int)}
	s.Set(t, records...)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Addr = tcp.Addr().String()
	udp, err := net.ListenPacket("udp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	servers := []*dns.Server{
		{Listener: tcp, Net: "tcp", Handler: dns.HandlerFunc(s.overTCP)},
		{PacketConn: udp, Net: "udp", Handler: dns.HandlerFunc(s.overUDP)},
	}
	for _, server := range servers {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() { _ = server.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = server.Shutdown() })
	}
	return s
}

// Set makes records all that the server knows.
func (s *Server) Set(t testing.TB, records ...string) {
	t.Helper()
	var parsed []dns.RR
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, rr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = parsed
}

// Fail makes every answer one with a code such as dns.RcodeServerFailure; 0
// ends that.
func (s *Server) Fail(code int) { s.change(func() { s.code = code }) }

// Delay makes every answer late.
func (s *Server) Delay(d time.Duration) { s.change(func() { s.delay = d }) }

// Silence makes the server answer nothing over UDP.
func (s *Server) Silence(on bool) { s.change(func() { s.silent = on }) }

// Deafen makes the server ignore questions of one type; 0 for none.
func (s *Server) Deafen(kind uint16) { s.change(func() { s.deaf = kind }) }

// Cut makes every answer over UDP one that was cut.
func (s *Server) Cut(on bool) { s.change(func() { s.cut = on }) }

// CloseTCP makes the server hang up over TCP.
func (s *Server) CloseTCP(on bool) { s.change(func() { s.noTCP = on }) }

// Age makes the server one that knows no extensions.
func (s *Server) Age(on bool) { s.change(func() { s.old = on }) }

// Lie makes answers to questions that nobody asked come before the right one.
func (s *Server) Lie(on bool) { s.change(func() { s.lies = on }) }

// Asked returns how often a name was asked for, over UDP and TCP.
func (s *Server) Asked(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[dns.Fqdn(name)]
}

func (s *Server) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *Server) overTCP(w dns.ResponseWriter, q *dns.Msg) {
	s.mu.Lock()
	m, delay, closed := s.answer(q), s.delay, s.noTCP
	s.mu.Unlock()
	time.Sleep(delay)
	if m == nil || closed {
		_ = w.Close()
		return
	}
	_ = w.WriteMsg(m)
}

func (s *Server) overUDP(w dns.ResponseWriter, q *dns.Msg) {
	s.mu.Lock()
	m, delay, silent, cut, lies := s.answer(q), s.delay, s.silent, s.cut, s.lies
	s.mu.Unlock()
	time.Sleep(delay)
	if m == nil || silent {
		return
	}
	if lies {
		s.lie(w, q)
	}
	if cut || m.Len() > 1232 {
		m.Truncated = true
		m.Answer = m.Answer[:len(m.Answer)/2]
	}
	_ = w.WriteMsg(m)
}

func (s *Server) lie(w dns.ResponseWriter, q *dns.Msg) {
	evil, _ := dns.NewRR(q.Question[0].Name + " 5 IN A 6.6.6.6")
	for _, spoil := range []func(m *dns.Msg){
		func(m *dns.Msg) { m.Id++ },
		func(m *dns.Msg) { m.Question[0].Name = "evil." + m.Question[0].Name },
		func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeTXT },
		func(m *dns.Msg) { m.Response = false },
	} {
		m := new(dns.Msg)
		m.SetReply(q.Copy())
		m.Answer = []dns.RR{evil}
		spoil(m)
		_ = w.WriteMsg(m)
	}
	_, _ = w.Write([]byte("no DNS at all"))
}

// answer is called with mu held; nil is none.
func (s *Server) answer(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg)
	m.SetReply(q)
	m.RecursionAvailable = true
	if len(q.Question) != 1 {
		m.Rcode = dns.RcodeFormatError
		return m
	}
	name, kind := q.Question[0].Name, q.Question[0].Qtype
	s.asked[strings.ToLower(name)]++
	switch {
	case kind == s.deaf && kind != 0:
		return nil
	case s.old && q.IsEdns0() != nil:
		m.Rcode = dns.RcodeFormatError
		return m
	case s.code != 0:
		m.Rcode = s.code
		return m
	}
	exists := s.look(m, name, kind)
	if len(m.Answer) == 0 || !exists {
		if !exists {
			m.Rcode = dns.RcodeNameError
		}
		soa, _ := dns.NewRR("test. 60 IN SOA ns.test. admin.test. 1 60 60 60 2")
		m.Ns = append(m.Ns, soa)
	}
	return m
}

// look adds the records of a name and of what it is an alias for, and reports
// whether the last of them exists.
func (s *Server) look(m *dns.Msg, name string, kind uint16) (exists bool) {
	for range 8 {
		exists = false
		alias := ""
		for _, rr := range s.records {
			h := rr.Header()
			if !strings.EqualFold(h.Name, name) {
				continue
			}
			exists = true
			if c, ok := rr.(*dns.CNAME); ok {
				alias = c.Target
			}
			if h.Rrtype == kind || h.Rrtype == dns.TypeCNAME {
				m.Answer = append(m.Answer, rr)
			}
		}
		if alias == "" {
			return exists
		}
		name = alias
	}
	return exists
}

package upstream

import (
	"bufio"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/config"
	"gatehouse/dial"
	"gatehouse/exchange"
	"gatehouse/upstream/target"
)

// outcome is what a gateway's log would say of a request.
type outcome struct {
	Status   int
	Reason   string
	Detail   string
	Aborted  bool
	Upstream exchange.Upstream
	Steps    int
}

// front is the part of a gateway that stands around a handler.
type front struct {
	*httptest.Server
	outcomes chan outcome
	timeout  time.Duration
	tls      bool // and HTTP/2
	peek     int  // bytes of the body that a filter reads before
}

func newFront(t testing.TB, h http.Handler, options ...func(*front)) *front {
	t.Helper()
	f := &front{outcomes: make(chan outcome, 1<<12)}
	for _, o := range options {
		o(f)
	}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(h, w, r) }))
	f.Server.Config.ErrorLog = discardLog()
	f.Server.EnableHTTP2 = true
	if f.tls {
		f.StartTLS()
	} else {
		f.Start()
	}
	t.Cleanup(f.Close)
	return f
}

func (f *front) serve(h http.Handler, w http.ResponseWriter, r *http.Request) {
	peer := netip.MustParseAddrPort(r.RemoteAddr)
	conn := &exchange.Conn{Peer: peer, Source: peer, TLS: r.TLS != nil}
	x, r := exchange.Begin(w, r, conn, nil)
	if err := x.Path.Parse(r.RequestURI); err != nil {
		panic(err)
	}
	x.SetTimeout(f.timeout)
	defer func() {
		p := recover()
		if p != nil {
			x.Abort()
		} else {
			x.Finish()
		}
		o := outcome{Status: x.Writer.Status(), Aborted: x.Aborted, Upstream: x.Upstream, Steps: len(x.Trail.Steps())}
		if x.Refused != nil {
			o.Reason, o.Detail = x.Refused.Reason, x.Refused.Detail
		}
		select {
		case f.outcomes <- o:
		default:
		}
		x.Release()
		if p != nil {
			panic(p)
		}
	}()
	if f.peek > 0 {
		if _, err := x.Body.Peek(f.peek); err != nil {
			panic(err)
		}
	}
	h.ServeHTTP(&x.Writer, r)
}

// last waits for the next request's outcome.
func (f *front) last(t testing.TB) outcome {
	t.Helper()
	select {
	case o := <-f.outcomes:
		return o
	case <-time.After(10 * time.Second):
		t.Fatal("no request ended")
		return outcome{}
	}
}

func discardLog() *log.Logger { return slog.NewLogLogger(slog.DiscardHandler, 0) }

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newTestKeeper(t testing.TB) *Keeper {
	t.Helper()
	k := NewKeeper(Options{Dialer: dial.New(dial.Options{}), Log: quietLog()})
	t.Cleanup(k.Close)
	return k
}

// bind makes a service of c in a keeper of its own.
func bind(t testing.TB, c Config) *Service {
	t.Helper()
	return bindIn(t, newTestKeeper(t), c)
}

func bindIn(t testing.TB, k *Keeper, c Config) *Service {
	t.Helper()
	l := k.Begin()
	s, err := l.Service(c)
	if err != nil {
		t.Fatal(err)
	}
	l.Commit()
	return s
}

func service(addresses ...string) Config {
	c := Config{Name: "orders", Pool: Pool{Idle: 64}}
	for _, a := range addresses {
		var target Target
		if err := target.parse(a); err != nil {
			panic(err)
		}
		target.Weight = 1
		c.Targets = append(c.Targets, target)
	}
	return c
}

func ms(n int) config.Duration { return config.Duration(time.Duration(n) * time.Millisecond) }

// backend is a raw server: it hands each connection, by number, to a script.
type backend struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
	n     int
}

func newBackend(t testing.TB, script func(n int, c net.Conn, r *bufio.Reader)) *backend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{Listener: l}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			n := b.n
			b.n++
			b.conns = append(b.conns, c)
			b.mu.Unlock()
			done.Go(func() {
				defer c.Close()
				script(n, c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		b.mu.Lock()
		for _, c := range b.conns {
			c.Close()
		}
		b.mu.Unlock()
		done.Wait()
	})
	return b
}

func (b *backend) address() string { return b.Addr().String() }

func (b *backend) accepted() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n
}

// request reads one request, whole; nil at the connection's end.
func request(r *bufio.Reader) *http.Request {
	req, err := http.ReadRequest(r)
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil
	}
	req.Body = io.NopCloser(strings.NewReader(string(body)))
	return req
}

// always answers every request with the same bytes.
func always(answer string) func(int, net.Conn, *bufio.Reader) {
	return func(_ int, c net.Conn, r *bufio.Reader) {
		for request(r) != nil {
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	}
}

func get(t testing.TB, url string) (*http.Response, string, error) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

func withTLS(on bool) func(*front) { return func(f *front) { f.tls = on } }

// limited is a route with a limit of its bodies.
type limited struct {
	next  http.Handler
	limit int64
}

func (l limited) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	exchange.From(r).Body.SetLimit(l.limit)
	l.next.ServeHTTP(w, r)
}

// openTo returns how many connections to an endpoint are open.
func openTo(e *target.Endpoint) int {
	open, _ := e.Connections()
	return open
}

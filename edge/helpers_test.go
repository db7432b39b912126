package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/config"
	"gatehouse/edge/ca"
	"gatehouse/exchange"
)

// listenerConfig returns a Listener as the decoder would make it of nothing.
func listenerConfig(change ...func(*Listener)) Listener {
	l := Listener{
		Address: "127.0.0.1:0", ProxyProtocol: "off", ClientAddress: "x-forwarded-for",
		Limits: Limits{
			Body: 10 << 20, Header: 16 << 10,
			HeaderTimeout: config.Duration(10 * time.Second), BodyTimeout: config.Duration(30 * time.Second), BodyRate: 240,
			WriteTimeout: config.Duration(30 * time.Second), IdleTimeout: config.Duration(time.Minute),
			Connections: 10000, ConnectionsPerAddress: 256,
		},
		HTTP2: HTTP2{Streams: 100},
	}
	for _, f := range change {
		f(&l)
	}
	return l
}

func withTLS(files ...CertificateFile) func(*Listener) {
	return func(l *Listener) {
		l.TLS = &TLS{
			Certificates: Certificates{Internal: len(files) == 0, Files: files}, MinVersion: "1.2",
			HSTS: config.Duration(365 * 24 * time.Hour), HandshakeTimeout: config.Duration(10 * time.Second),
		}
	}
}

func trusting(prefixes ...string) func(*Listener) {
	return func(l *Listener) {
		for _, s := range prefixes {
			var p config.Prefix
			if err := p.UnmarshalText([]byte(s)); err != nil {
				panic(err)
			}
			l.TrustedProxies = append(l.TrustedProxies, p)
		}
	}
}

// house is a gateway reduced to its edge.
type house struct {
	t         testing.TB
	listeners *Listeners
	policies  atomic.Pointer[Policies]
	ca        *ca.CA
	domains   []string
	handler   atomic.Pointer[http.HandlerFunc]
	refused   chan string
}

// newHouse serves by serve after the edge has done its part.
func newHouse(t testing.TB, serve http.HandlerFunc, listeners ...Listener) *house {
	t.Helper()
	authority, err := ca.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, ca: authority, domains: []string{"api.shop.test", "*.wild.test"}, refused: make(chan string, 100)}
	if serve == nil {
		serve = func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello") }
	}
	h.handler.Store(&serve)
	h.policies.Store(&Policies{})
	h.listeners = NewListeners(Options{
		Handler: http.HandlerFunc(h.serve),
		Policy:  func(key string) *Policy { return (*h.policies.Load())[key] },
		Refused: func(c *exchange.Conn, status int, reason, detail string) *exchange.Exchange {
			select {
			case h.refused <- reason:
			default:
			}
			return exchange.Refused(c, &exchange.Rule{Filter: "edge"}, status, reason, detail)
		},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	h.reload(listeners...)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = h.listeners.Shutdown(ctx)
	})
	return h
}

func (h *house) serve(w http.ResponseWriter, r *http.Request) {
	x, r := exchange.Begin(w, r, ConnOf(r), nil)
	defer x.Release()
	defer x.Finish()
	if f, ok := Check(r); !ok {
		exchange.Refuse(&x.Writer, r, exchange.Refusal{Status: f.Status, Rule: &exchange.Rule{Filter: "edge"}, Reason: f.Reason, Detail: f.Detail})
		return
	}
	x.Host = Host(r)
	Clean(x, r)
	if Redirect(x, &x.Writer, r) {
		return
	}
	(*h.handler.Load())(&x.Writer, r)
}

func (h *house) compile(listeners ...Listener) Policies {
	h.t.Helper()
	var report config.Report
	p := Compile(listeners, Compilation{Domains: h.domains, Authority: h.ca, Last: *h.policies.Load(), Now: time.Now()}, &report)
	for _, problem := range report.Problems() {
		h.t.Fatalf("compile: %s", problem.Message)
	}
	return p
}

func (h *house) reload(listeners ...Listener) {
	h.t.Helper()
	p := h.compile(listeners...)
	lease := h.listeners.Begin()
	if err := lease.Bind(p); err != nil {
		lease.Abort()
		h.t.Fatal(err)
	}
	h.policies.Store(&p)
	lease.Commit()
}

// addr returns the bound address of the only listener, or of key.
func (h *house) addr(key ...string) string {
	h.t.Helper()
	k := "127.0.0.1:0"
	if len(key) > 0 {
		k = key[0]
	}
	a := h.listeners.Addr(k)
	if a == nil {
		h.t.Fatalf("no listener %s", k)
	}
	return a.String()
}

func (h *house) counters() *Counters {
	var c *Counters
	h.listeners.Each(func(_ string, _ net.Addr, counters *Counters) { c = counters })
	return c
}

func (h *house) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(h.ca.RootPEM())
	return pool
}

// client returns an HTTP client that asks addr whatever the URL's host is.
func (h *house) client(h2 bool) *http.Client {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: h.roots()},
		Protocols:       new(http.Protocols),
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, h.addr())
		},
	}
	transport.Protocols.SetHTTP1(!h2)
	transport.Protocols.SetHTTP2(h2)
	h.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func get(t testing.TB, c *http.Client, url string) *http.Response {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	return resp
}

func text(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// dial opens a raw connection that the test closes at its end.
func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// eventually waits for what another goroutine is about to bring about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		runtime.Gosched()
		<-time.After(time.Millisecond)
	}
}

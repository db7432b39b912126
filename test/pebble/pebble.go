// Package pebble runs pebble, a CA by ACME that is made for tests, in the test's
// own process and on loopback alone: the CA itself, its validation, which really
// connects, and the DNS that it asks.
package pebble

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letsencrypt/challtestsrv"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// Options say what kind of CA it is.
type Options struct {
	HTTPPort int // where it asks for http-01; 0 for a port where nobody is
	TLSPort  int // and for tls-alpn-01
	// Life is how long certificates are good; 0 for 90 days.
	Life time.Duration
	// Profiles are lives by name, among which it chooses at random where nobody
	// asks for one; none for one of Life.
	Profiles map[string]time.Duration
	// NoARI leaves the CA's suggestions of when to renew out.
	NoARI bool
	// ExternalAccounts are the keys by which accounts must be bound; none
	// where any may register.
	ExternalAccounts map[string]string
	// Blocked are names that it certifies for nobody.
	Blocked []string
}

// CA is a running CA.
type CA struct {
	Directory string // its URL
	PEM       []byte // the certificate of its own server, to trust
	DNS       *challtestsrv.ChallSrv
	Roots     *x509.CertPool // of what it issues

	options   Options
	resolver  string // address of DNS
	front     atomic.Pointer[front]
	down      atomic.Bool
	gate      atomic.Pointer[chan struct{}] // requests wait until it is closed; nil for none that do
	limited   atomic.Pointer[string]        // Retry-After of an answer 429 to every order; nil for none
	orders    atomic.Int64
	accounts  atomic.Int64
	suggested atomic.Int64
}

// Start runs a CA until the test ends.
func Start(t testing.TB, o Options) *CA {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	c := &CA{options: o}
	c.startDNS(t)
	c.Forget(t)
	c.serve(t)
	return c
}

// Forget makes the CA one that knows nobody: as after a crash without a backup.
// What it issued before is not trusted by its new roots.
func (c *CA) Forget(t testing.TB) {
	t.Helper()
	o, logger, store := c.options, log.New(io.Discard, "", 0), db.NewMemoryStore()
	profiles := map[string]ca.Profile{}
	for name, life := range o.profiles() {
		profiles[name] = ca.Profile{Description: name, ValidityPeriod: uint64(life / time.Second)}
	}
	authority := ca.New(logger, store, "", "ecdsa", 0, 1, profiles)
	validation := va.New(logger, port(o.HTTPPort), port(o.TLSPort), true, c.resolver, store)
	for id, key := range o.ExternalAccounts {
		if err := store.AddExternalAccountKeyByID(id, key); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range o.Blocked {
		if err := store.AddBlockedDomain(name); err != nil {
			t.Fatal(err)
		}
	}
	web := wfe.New(logger, store, validation, authority, []string{"pebble.test"}, true, len(o.ExternalAccounts) > 0, 1, 1)
	c.front.Store(&front{web.Handler(), web.ManagementHandler()})
	c.Roots = x509.NewCertPool()
	c.Roots.AppendCertsFromPEM(authority.GetRootCert(0).PEM())
}

func (o *Options) profiles() map[string]time.Duration {
	if len(o.Profiles) > 0 {
		return o.Profiles
	}
	return map[string]time.Duration{"default": cmp.Or(o.Life, 90*24*time.Hour)}
}

// front is what answers in the CA's name.
type front struct{ acme, management http.Handler }

// port returns a port, in place of 0 one that is never listened on.
func port(n int) int {
	if n == 0 {
		return 1
	}
	return n
}

func (c *CA) serve(t testing.TB) {
	server := httptest.NewUnstartedServer(c)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	c.Directory = server.URL + wfe.DirectoryPath
	c.PEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// startDNS serves names that all lead to loopback. Its library has one handler
// in a process: of several CAs the one that was started last has the records.
func (c *CA) startDNS(t testing.TB) {
	t.Helper()
	c.resolver = "127.0.0.1:" + FreePort(t)
	server, err := challtestsrv.New(challtestsrv.Config{Log: log.New(io.Discard, "", 0), DNSAddrs: []string{c.resolver}})
	if err != nil {
		t.Fatal(err)
	}
	server.SetDefaultDNSIPv4("127.0.0.1")
	server.SetDefaultDNSIPv6("")
	go server.Run()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", c.resolver)
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the DNS does not start: ", err)
		}
	}
	t.Cleanup(server.Shutdown)
	c.DNS = server
}

// FreePort returns a free port of 127.0.0.1 that the system gives to nobody who
// does not ask for it: the CA must know it before somebody listens there.
func FreePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20000 + rand.IntN(12000))
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// ServeHTTP is the CA's front.
func (c *CA) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.down.Load() {
		panic(http.ErrAbortHandler)
	}
	if gate := c.gate.Load(); gate != nil {
		select {
		case <-*gate:
		case <-r.Context().Done():
			return
		}
	}
	switch {
	case r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/order-plz"):
		if after := c.limited.Load(); after != nil {
			refuse(w, *after)
			return
		}
		w = &created{w, &c.orders}
	case r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/sign-me-up"):
		w = &created{w, &c.accounts}
	case strings.Contains(r.URL.Path, "/renewalInfo/"):
		c.suggested.Add(1)
	case r.URL.Path == wfe.DirectoryPath && c.options.NoARI:
		c.directory(w, r)
		return
	}
	c.front.Load().acme.ServeHTTP(w, r)
}

// created counts answers that say that something was made: pebble refuses one
// request in twenty, to see whether clients try again.
type created struct {
	http.ResponseWriter
	count *atomic.Int64
}

func (c *created) WriteHeader(status int) {
	if status == http.StatusCreated {
		c.count.Add(1)
	}
	c.ResponseWriter.WriteHeader(status)
}

// directory answers without renewalInfo.
func (c *CA) directory(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	c.front.Load().acme.ServeHTTP(rec, r)
	var all map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &all); err != nil {
		panic(err)
	}
	delete(all, "renewalInfo")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(all)
}

// refuse answers as CAs do who are asked too often.
func refuse(w http.ResponseWriter, after string) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Retry-After", after)
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = io.WriteString(w, `{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates already issued", "status": 429}`)
}

// SetDown makes the CA hang up on everybody, or answer again.
func (c *CA) SetDown(down bool) { c.down.Store(down) }

// Hang makes the CA take requests and say nothing, until the function that it
// returns is called.
func (c *CA) Hang() (release func()) {
	gate := make(chan struct{})
	c.gate.Store(&gate)
	return func() { close(gate) }
}

// Limit makes the CA answer orders with 429 and this Retry-After.
func (c *CA) Limit(retryAfter string) { c.limited.Store(&retryAfter) }

// Orders returns how many certificates were ordered.
func (c *CA) Orders() int64 { return c.orders.Load() }

// Accounts returns how often somebody has registered.
func (c *CA) Accounts() int64 { return c.accounts.Load() }

// Suggested returns how often it was asked when to renew.
func (c *CA) Suggested() int64 { return c.suggested.Load() }

// Suggest makes the CA suggest to renew a certificate within a window.
func (c *CA) Suggest(t testing.TB, cert *x509.Certificate, start, end time.Time) {
	t.Helper()
	window := fmt.Sprintf(`{"suggestedWindow": {"start": %q, "end": %q}}`, start.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339))
	body, err := json.Marshal(map[string]string{
		"Certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})),
		"ARIResponse": window,
	})
	if err != nil {
		t.Fatal(err)
	}
	rec, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/set-renewal-info/", bytes.NewReader(body))
	r.Header.Set("User-Agent", "test")
	c.front.Load().management.ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		t.Fatalf("suggest: %d %s", rec.Code, rec.Body)
	}
}

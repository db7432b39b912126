package edge

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/config"
)

// noLeaks fails the test where goroutines are left when everything it set up
// has been cleaned up. It is to be called first.
func noLeaks(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		deadline := time.Now().Add(10 * time.Second)
		for runtime.NumGoroutine() > before {
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				t.Fatalf("%d goroutines before, %d after\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
			}
			<-time.After(5 * time.Millisecond)
		}
	})
}

// Certificates change for new connections; a connection that is there, even
// with a request under way, stays.
func TestCertificatesChangeUnderALiveConnection(t *testing.T) {
	noLeaks(t)
	inside, goOn := make(chan bool), make(chan bool)
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			inside <- true
			<-goOn
		}
		_, _ = io.WriteString(w, "hello")
	}, listenerConfig(withTLS(certFor(t, "old.test"))))
	c := tls.Client(dial(t, h.addr()), &tls.Config{InsecureSkipVerify: true})
	in := bufio.NewReader(c)
	_, _ = io.WriteString(c, "GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
	<-inside
	h.reload(listenerConfig(withTLS(certFor(t, "new.test"))))
	if got := shown(t, h.addr(), "").DNSNames[0]; got != "new.test" {
		t.Errorf("a new connection sees %s", got)
	}
	close(goOn)
	for range 2 { // the request under way, and another on the same connection
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Close {
			t.Error("other certificates alone end no connection")
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
	}
}

func other(l *Listener) { l.Limits.IdleTimeout = config.Duration(59 * time.Second) }

// Other settings: connections of the old ones end with their next answer, new
// ones come under the new ones.
func TestSettingsChange(t *testing.T) {
	noLeaks(t)
	h := newHouse(t, nil, listenerConfig())
	before := h.listeners.Addr("127.0.0.1:0").String()
	c := dial(t, h.addr())
	in := bufio.NewReader(c)
	for i, wantClose := range []bool{false, false, true} {
		if i == 2 {
			h.reload(listenerConfig(other))
		}
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Close != wantClose {
			t.Errorf("answer %d: close %v", i, resp.Close)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
	}
	closedBy(t, c)
	if got := h.listeners.Addr("127.0.0.1:0").String(); got != before {
		t.Error("the socket was opened again")
	}
	if h.counters().Accepted.Load() != 1 {
		t.Error("the counters began anew")
	}
}

// A connection that waits for its next request ends by itself, and not at
// once.
func TestWaitingConnectionsEndAfterASettingsChange(t *testing.T) {
	noLeaks(t)
	h := newHouse(t, nil, listenerConfig())
	c := dial(t, h.addr())
	if status, _ := ask(t, c, ""); status != 200 {
		t.Fatal(status)
	}
	silent := dial(t, h.addr())
	eventually(t, "both are there", func() bool { return h.counters().Active.Load() == 2 })
	start := time.Now()
	h.reload(listenerConfig(other))
	closedBy(t, c)
	closedBy(t, silent)
	if took := time.Since(start); took < sweeps*sweepEvery/2 || took > 5*time.Second {
		t.Errorf("closed after %v", took)
	}
}

// A request that came with the one before it, in one write, is under way and
// does not count as waiting.
func TestPipelinedRequestIsNotTakenForWaiting(t *testing.T) {
	noLeaks(t)
	inside, goOn := make(chan bool), make(chan bool)
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/first" {
			return
		}
		inside <- true
		select {
		case <-goOn:
			_, _ = io.WriteString(w, "done")
		case <-r.Context().Done():
			_, _ = io.WriteString(w, "broken off")
		}
	}, listenerConfig())
	c := dial(t, h.addr())
	_, _ = io.WriteString(c, "GET /first HTTP/1.1\r\nHost: a.test\r\n\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
	<-inside
	h.reload(listenerConfig(other))
	<-time.After((sweeps + 4) * sweepEvery)
	close(goOn)
	in := bufio.NewReader(c)
	for _, want := range []string{"", "done"} {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(resp.Body); string(body) != want {
			t.Errorf("%q, want %q", body, want)
		}
	}
}

func TestHTTP2IsToldToGoAway(t *testing.T) {
	noLeaks(t)
	inside, goOn := make(chan bool), make(chan bool)
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			inside <- true
			<-goOn
		}
		_, _ = io.WriteString(w, ConnOf(r).Peer.String())
	}, listenerConfig(withTLS()))
	client := h.client(true)
	first := text(t, get(t, client, "https://api.shop.test/"))
	if again := text(t, get(t, client, "https://api.shop.test/")); again != first {
		t.Fatal("another connection to begin with")
	}
	done := make(chan string)
	go func() {
		resp, err := client.Get("https://api.shop.test/slow")
		if err != nil {
			done <- err.Error()
			return
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		done <- string(body)
	}()
	<-inside
	h.reload(listenerConfig(withTLS(), other))
	eventually(t, "the client opens another connection", func() bool {
		return text(t, get(t, client, "https://api.shop.test/")) != first
	})
	close(goOn)
	if got := <-done; got != first {
		t.Errorf("the request under way: %s, want %s", got, first)
	}
	eventually(t, "the old connection ends", func() bool { return h.counters().Active.Load() == 1 })
}

func TestPlainBecomesTLSAndBack(t *testing.T) {
	noLeaks(t)
	h := newHouse(t, nil, listenerConfig())
	for range 3 {
		h.reload(listenerConfig(withTLS()))
		get(t, h.client(true), "https://api.shop.test/")
		h.reload(listenerConfig())
		get(t, h.client(false), "http://api.shop.test/")
	}
}

// freePort returns an address that was free a moment ago.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func at(address string) func(*Listener) { return func(l *Listener) { l.Address = address } }

func TestTakenPort(t *testing.T) {
	noLeaks(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	h := newHouse(t, nil, listenerConfig())
	spare := freePort(t)
	lease := h.listeners.Begin()
	err = lease.Bind(h.compile(listenerConfig(other), listenerConfig(at(taken.Addr().String())), listenerConfig(at(spare))))
	var bind *BindError
	if !errors.As(err, &bind) || bind.Address != taken.Addr().String() {
		t.Fatalf("%v", err)
	}
	if want := "cannot listen on " + taken.Addr().String() + ": bind: address already in use (another program listens there)"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	lease.Abort()
	if l, err := net.Listen("tcp", spare); err != nil {
		t.Errorf("the address opened beside it is still held: %v", err)
	} else {
		_ = l.Close()
	}
	resp := get(t, h.client(false), "http://api.shop.test/")
	if resp.Close || resp.StatusCode != 200 {
		t.Error("the old listener was touched")
	}
}

func TestBindErrorsSayTheCure(t *testing.T) {
	h := newHouse(t, nil, listenerConfig())
	_, port, _ := net.SplitHostPort(h.addr())
	if other, err := net.Listen("tcp", "127.0.0.2:"+port); err == nil {
		defer other.Close()
	}
	for address, want := range map[string]string{
		"192.0.2.1:0":       "this machine has no such address",
		":" + port:          "this gateway itself listens on 127.0.0.1:" + port,
		"127.0.0.2:" + port: "another program listens there",
		"nowhere..test:1":   "cannot listen on nowhere..test:1", // nothing that a resolver would be asked for
	} {
		lease := h.listeners.Begin()
		err := lease.Bind(h.compile(listenerConfig(), listenerConfig(at(address))))
		lease.Abort()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
	// Every address that fails is named at once.
	lease := h.listeners.Begin()
	err := lease.Bind(h.compile(listenerConfig(at("192.0.2.1:1")), listenerConfig(at("192.0.2.1:2"))))
	lease.Abort()
	if err == nil || !strings.Contains(err.Error(), "192.0.2.1:1") || !strings.Contains(err.Error(), "192.0.2.1:2") {
		t.Error(err)
	}
}

// An address that goes and comes back in the next reload is free by then.
func TestAddressComesBack(t *testing.T) {
	noLeaks(t)
	address := freePort(t)
	h := newHouse(t, nil, listenerConfig(), listenerConfig(at(address)))
	for range 20 {
		h.reload(listenerConfig())
		h.reload(listenerConfig(), listenerConfig(at(address)))
	}
	if status, _ := ask(t, dial(t, address), ""); status != 200 {
		t.Error(status)
	}
}

// What the kernel has queued when an address goes is served.
func TestRetiredAddressServesWhatIsQueued(t *testing.T) {
	noLeaks(t)
	address := freePort(t)
	inside, goOn := make(chan bool), make(chan bool)
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			inside <- true
			<-goOn
		}
	}, listenerConfig(), listenerConfig(at(address)))
	slow := dial(t, address)
	_, _ = io.WriteString(slow, "GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
	<-inside
	queued := make([]net.Conn, 50)
	for i := range queued {
		queued[i] = dial(t, address)
	}
	h.reload(listenerConfig())
	for i, c := range queued {
		if status, _ := ask(t, c, ""); status != 200 {
			t.Fatalf("queued connection %d: %d", i, status)
		}
	}
	eventually(t, "new connections are refused", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	close(goOn)
	resp, err := http.ReadResponse(bufio.NewReader(slow), nil)
	if err != nil || !resp.Close {
		t.Errorf("the request under way: %v %v", resp, err)
	}
	if status, _ := ask(t, dial(t, h.addr()), ""); status != 200 {
		t.Error("the other listener was touched")
	}
}

// load sends POSTs, which no client repeats by itself, until stop is closed.
func load(t *testing.T, client *http.Client, url string, stop <-chan struct{}, sent *atomic.Int64) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		resp, err := client.Post(url, "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Errorf("request %d: %v", sent.Load(), err)
			return
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || string(body) != "5" {
			t.Errorf("request %d: %d %q %v", sent.Load(), resp.StatusCode, body, err)
			return
		}
		sent.Add(1)
	}
}

func TestNoRequestIsLostAcrossReloads(t *testing.T) {
	noLeaks(t)
	rounds := 100
	if testing.Short() {
		rounds = 20
	}
	file := certFor(t, "api.shop.test")
	h := newHouse(t, readBody, listenerConfig(withTLS()))
	insecure := func(h2 bool) *http.Client {
		c := h.client(h2)
		c.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
		return c
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	var sent atomic.Int64
	for i := range 6 {
		client := insecure(i%2 == 0)
		all.Go(func() { load(t, client, "https://api.shop.test/", stop, &sent) })
	}
	for i := range rounds {
		switch i % 4 {
		case 0:
			h.reload(listenerConfig(withTLS(), other))
		case 1:
			h.reload(listenerConfig(withTLS(file)))
		case 2:
			h.reload(listenerConfig(withTLS(file), func(l *Listener) { l.Limits.Body = 1 << 20 }))
		case 3:
			h.reload(listenerConfig(withTLS()))
		}
		before := sent.Load()
		eventually(t, "some requests come through between reloads", func() bool { return t.Failed() || sent.Load() > before+10 })
	}
	close(stop)
	all.Wait()
	t.Logf("%d requests over %d reloads", sent.Load(), rounds)
}

// Many reloads leave nothing behind, and a tunnel of the first engine does not
// end with it.
func TestReloadsLeaveNothingBehind(t *testing.T) {
	h := newHouse(t, nil, listenerConfig())
	settle := func() int {
		<-time.After(2 * sweepEvery)
		return runtime.NumGoroutine()
	}
	before := settle()
	for i := range 100 {
		h.reload(listenerConfig(func(l *Listener) { l.Limits.Connections = 1000 + i }))
	}
	eventually(t, "old engines end", func() bool { return runtime.NumGoroutine() <= before })
}

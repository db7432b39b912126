package test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// besieged is a gateway whose clients get little, so that attacks end soon.
const besieged = `
listen:
  - {address: "127.0.0.1:0", tls: {certificates: internal}, limits: &limits {header-timeout: 300ms, body-timeout: 300ms, write-timeout: 1s, idle-timeout: 500ms, connections-per-address: 64, body: 64KiB}}
  - {address: "127.0.0.1:00", limits: *limits}
log: {access: off}
apis: {a: {authorize: none, routes: [{match: "ANY /{proxy*}", target: "http://%s"}]}}
`

// The bounds within which every attack is held.
const (
	siege   = 300 * time.Millisecond // until the cost of an attack is looked at
	relief  = 10 * time.Second       // until what is to end has ended: a second or two, where nobody else is at work
	bearing = 2 * time.Second        // the longest that others wait, on a busy machine
)

// attack is something that strangers do on many connections.
type attack struct {
	conns int
	most  int64 // KiB of memory that each connection may cost, the attacker's own end included
	stays bool  // the gateway need not end the connection, as long as it costs no more
	http1 func(c net.Conn) error
	http2 func(f *frames) error
}

// attacker is a client that others are not.
var attacker, bystander = net.IPv4(127, 0, 0, 1), net.IPv4(127, 0, 0, 2)

func dialFrom(ip net.IP, address string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: ip}, Timeout: 5 * time.Second}
	return d.Dial("tcp", address)
}

// streams is how many requests at a time a connection may have by HTTP/2.
const streams = 100

// endless answers with what never ends, at /endless, or with "ok", at /late
// somewhat late. It counts how many requests it has at a time.
type endless struct{ now, most atomic.Int64 }

func (e *endless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := e.now.Add(1)
	defer e.now.Add(-1)
	for most := e.most.Load(); n > most && !e.most.CompareAndSwap(most, n); most = e.most.Load() {
	}
	_, _ = io.Copy(io.Discard, r.Body)
	switch r.URL.Path {
	case "/endless":
		piece := make([]byte, 16<<10)
		for {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	case "/late":
		select {
		case <-time.After(siege / 3):
		case <-r.Context().Done():
		}
	}
	_, _ = io.WriteString(w, "ok")
}

// TestAttacks: whatever strangers do, it costs a bounded amount of memory, it
// ends, and others are served meanwhile.
func TestAttacks(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	service := &endless{}
	backend := httptest.NewServer(service)
	t.Cleanup(backend.Close)
	r := start(t, fmt.Sprintf(besieged, backend.Listener.Addr()), nil)
	for _, name := range slices.Sorted(maps.Keys(attacks())) {
		t.Run(name, func(t *testing.T) {
			service.most.Store(0)
			a := attacks()[name]
			r.withstands(t, a)
			if most := service.most.Load(); most > int64(a.conns*streams)+1 {
				t.Errorf("the service had %d requests at a time", most)
			}
		})
	}
}

func (r *running) withstands(t *testing.T, a attack) {
	before := memory()
	ctx, cancel := context.WithTimeout(t.Context(), relief)
	defer cancel()
	var attackers sync.WaitGroup
	for range a.conns {
		conn, err := a.open(r)
		if err != nil {
			continue // there are too many
		}
		defer conn.Close()
		attackers.Go(func() { a.rage(ctx, conn) })
	}
	defer attackers.Wait()
	defer cancel()
	served, slowest := r.servesOthers(t)
	cost := (memory() - before) / int64(a.conns)
	stay := r.stay(ctx, a.stays)
	t.Logf("%d KiB a connection, %d of %d stay, others: %d requests, the slowest %v", cost>>10, stay, a.conns, served, slowest.Round(time.Millisecond))
	if cost > a.most<<10 {
		t.Errorf("%d KiB of memory a connection, more than %d", cost>>10, a.most)
	}
	if !a.stays && stay > 0 {
		t.Errorf("%d of %d connections stay", stay, a.conns)
	}
	if served < 3 || slowest > bearing {
		t.Errorf("others had %d requests served, the slowest after %v", served, slowest)
	}
}

// stay returns how many connections the gateway has, once it is none, or the
// time is over.
func (r *running) stay(ctx context.Context, may bool) (n int64) {
	for {
		n = 0
		for _, l := range r.Status().Listeners {
			n += l.Connections
		}
		if n == 0 || may || ctx.Err() != nil {
			return n
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (a *attack) open(r *running) (net.Conn, error) {
	if a.http1 != nil {
		return dialFrom(attacker, r.address("127.0.0.1:00"))
	}
	conn, err := dialFrom(attacker, r.secure())
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, &tls.Config{RootCAs: r.roots, ServerName: "localhost", NextProtos: []string{"h2"}})
	return secure, secure.Handshake()
}

// rage attacks by one connection until that has failed, or the time is over.
func (a *attack) rage(ctx context.Context, conn net.Conn) {
	defer context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Unix(1, 0)) })()
	step := func() error { return a.http1(conn) }
	if a.http2 != nil {
		f := greeted(conn)
		step = func() error { return a.http2(f) }
	}
	for ctx.Err() == nil {
		if err := step(); err != nil {
			return
		}
	}
}

// memory is what the process holds for heap and stacks once garbage is gone.
func memory() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// servesOthers asks from another address, on new connections, until an attack is
// at its height. It returns how often, and how long the slowest answer took.
func (r *running) servesOthers(t *testing.T) (served int, slowest time.Duration) {
	t.Helper()
	for end := time.Now().Add(siege); time.Now().Before(end); {
		for _, protocol := range []string{"plain", "http/1.1", "h2"} {
			began := time.Now()
			if err := r.askAs(bystander, protocol); err != nil {
				t.Fatalf("others are not served: %s: %v", protocol, err)
			}
			served++
			slowest = max(slowest, time.Since(began))
		}
	}
	return served, slowest
}

func (r *running) askAs(ip net.IP, protocol string) error {
	address := r.secure()
	if protocol == "plain" {
		address = r.address("127.0.0.1:00")
	}
	conn, err := dialFrom(ip, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * bearing))
	if protocol != "plain" {
		conn = tls.Client(conn, &tls.Config{RootCAs: r.roots, ServerName: "localhost", NextProtos: []string{protocol}})
	}
	if protocol == "h2" {
		f, err := newFrames(conn)
		if err != nil {
			return err
		}
		if o := f.ask(stream{fields: asks("GET", ":path", "/")}); o.status != "200" || o.body != "ok" {
			return fmt.Errorf("%+v", o)
		}
		return nil
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	return good(http.ReadResponse(bufio.NewReader(conn), nil))
}

func good(resp *http.Response, err error) error {
	if a := read(resp, err); a.err != nil || a.status != 200 {
		return fmt.Errorf("%d %w", a.status, a.err)
	}
	return nil
}

// pace is the time between two bytes of somebody slow.
const pace = 20 * time.Millisecond

// first says something once, then something else again and again.
func first(head, more string, every time.Duration) func(net.Conn) error {
	var begun sync.Map
	return func(c net.Conn) error {
		if _, again := begun.LoadOrStore(c, true); !again {
			_, err := io.WriteString(c, head)
			return err
		}
		time.Sleep(every)
		_, err := io.WriteString(c, more)
		return err
	}
}

const (
	postHead = "POST / HTTP/1.1\r\nHost: localhost\r\n"
	chunks   = postHead + "Transfer-Encoding: chunked\r\n\r\n"
)

func attacks() map[string]attack {
	all := map[string]attack{
		"silence":            {conns: 60, most: 256, http1: first("", "", pace)},
		"slow heads":         {conns: 60, most: 256, http1: first("GET / HTTP/1.1\r\nHost: localhost\r\nX: ", "x", pace)},
		"slow bodies":        {conns: 60, most: 256, http1: first(postHead+"Content-Length: 60000\r\n\r\n", "x", pace)},
		"slow chunks":        {conns: 60, most: 256, http1: first(chunks, "1\r\nx\r\n", pace)},
		"slow readers":       {conns: 20, most: 256, http1: first("GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n", "", pace)},
		"many fields":        {conns: 20, most: 256, http1: first("GET / HTTP/1.1\r\nHost: localhost\r\n", strings.Repeat("X: y\r\n", 100), 0)},
		"a large field":      {conns: 20, most: 256, http1: first("GET / HTTP/1.1\r\nHost: localhost\r\nX: ", strings.Repeat("x", 4000), 0)},
		"a large target":     {conns: 20, most: 256, http1: first("GET /", strings.Repeat("x", 4000), 0)},
		"chunk extensions":   {conns: 20, most: 256, http1: first(chunks, "1;"+strings.Repeat("x", 400)+"\r\nx\r\n", 0)},
		"a chunk's line":     {conns: 20, most: 256, http1: first(chunks+"1;", strings.Repeat("x", 4000), 0)},
		"dust of chunks":     {conns: 20, most: 256, http1: first(chunks, strings.Repeat("1\r\nx\r\n", 500), 0)},
		"large trailers":     {conns: 20, most: 256, http1: first(chunks+"0\r\n", "X: "+strings.Repeat("x", 4000)+"\r\n", 0)},
		"many trailers":      {conns: 20, most: 256, http1: first(chunks+"0\r\n", strings.Repeat("X: y\r\n", 100), 0)},
		"pipelined floods":   {conns: 20, most: 256, stays: true, http1: first("", strings.Repeat("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 100), 0)},
		"pipelined bodies":   {conns: 20, most: 256, stays: true, http1: first("", strings.Repeat(postHead+"Content-Length: 1\r\n\r\nx", 100), 0)},
		"many connections":   {conns: 300, most: 256, http1: first("GET / HTTP/1.1\r\nX: ", "x", pace)},
		"a flood of rubbish": {conns: 20, most: 256, http1: first("\x16\x03\x01\x02", strings.Repeat("\x00", 4000), 0)},
	}
	for name, a := range attacksHTTP2() {
		all["HTTP/2, "+name] = a
	}
	return all
}

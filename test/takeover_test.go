package test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse"
	"gatehouse/admin"
	"gatehouse/auth/devkey"
	"gatehouse/test/pebble"
)

// generations of a gateway in one folder, each of which takes over from the one
// before.
type generations struct {
	*running
	ended chan error // what Run of the one before the last returned
	run   chan error // and of the last
}

// startFirst starts the gateway that is taken over.
func startFirst(t *testing.T, text string) *generations {
	t.Helper()
	g := &generations{running: &running{t: t, dir: t.TempDir(), log: &lockedBuffer{}}}
	g.configure(text)
	if err := g.next(false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.stop() })
	return g
}

// next starts a gateway by the present configuration, which takes over.
func (g *generations) next(takeOver bool) error {
	g.t.Helper()
	cfg, err := g.load()
	if err != nil {
		g.t.Fatalf("the configuration:\n%v", err)
	}
	next, err := gatehouse.New(cfg, gatehouse.Options{
		Logger: slog.New(slog.NewTextHandler(g.log, nil)), Stdout: io.Discard, Version: "test", Load: g.load, TakeOver: takeOver,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	run, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		run <- next.Run(ctx)
	}()
	before := g.stop
	g.Gateway, g.ended, g.run = next, g.run, run
	g.stop = sync.OnceFunc(func() {
		cancel()
		if before != nil {
			before()
		}
		select { // it writes below the data folder until then
		case <-done:
		case <-time.After(5 * time.Second):
		}
	})
	return nil
}

func (g *generations) takeOver() {
	g.t.Helper()
	if err := g.next(true); err != nil {
		g.t.Fatalf("take-over: %v", err)
	}
}

// past waits for the end of the gateway that was taken over.
func (g *generations) past() {
	g.t.Helper()
	select {
	case err := <-g.ended:
		if err != nil {
			g.t.Errorf("the gateway that was taken over ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		g.t.Fatalf("the gateway that was taken over does not end; the log says %s", g.log)
	}
}

const takenRoutes = `apis: {a: {authorize: none, routes: [{match: "GET /{proxy*}", target: "http://BACKEND", headers: {response: {set: {x-conf: CONF}}}}]}}` + "\n"

func confOf(t *testing.T, address string) string {
	t.Helper()
	a := raw(t, address, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if a.status != 200 {
		t.Fatalf("%s: %d %v", address, a.status, a.err)
	}
	return a.header.Get("X-Conf")
}

// TestTakeOver: sockets, data folder, control and admin move to the new gateway;
// the old one finishes what it has accepted, and ends.
func TestTakeOver(t *testing.T) {
	backend := newBackend(t, "a").Listener.Addr().String()
	one, two, gone, added, adminAt := "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t)
	configuration := func(conf string, listen ...string) string {
		text := "admin: {address: \"" + adminAt + "\"}\nlimits: {shutdown: 5s}\nlisten:\n"
		for _, l := range listen {
			text += "  - {address: \"" + l + "\"}\n"
		}
		return text + strings.NewReplacer("BACKEND", backend, "CONF", conf).Replace(takenRoutes)
	}
	g := startFirst(t, configuration("old", one, two, gone))
	control := admin.Dial(filepath.Join(g.dir, "data"))
	idle, busy := dialPlain(t, one), dialPlain(t, one)
	idle.ask("/x")
	if resp := idle.answer(); resp.header.Get("X-Conf") != "old" {
		t.Fatalf("before: %v", resp)
	}
	busy.ask("/behave/slow/1s")
	awaitRequest(t, g.running, backend)
	_, port, _ := net.SplitHostPort(two)
	g.configure(configuration("new", one, "localhost:"+port, added)) // the same socket by another name, too
	g.takeOver()

	for _, address := range []string{one, two, added} {
		if got := confOf(t, address); got != "new" {
			t.Errorf("%s is answered by %s", address, got)
		}
	}
	var status gatehouse.Status
	if err := control.Status(t.Context(), &status); err != nil || status.Generation != 2 || status.TookOver == nil || status.TookOver.PID != os.Getpid() {
		t.Errorf("status %+v %v", status, err)
	}
	if err := control.Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
	if a := raw(t, adminAt, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); a.status != 200 {
		t.Errorf("/readyz: %d %v", a.status, a.err)
	}
	if resp := busy.answer(); resp.status != 200 || resp.header.Get("X-Conf") != "old" || resp.header.Get("Connection") != "close" {
		t.Errorf("the request under way: %+v", resp)
	}
	idle.awaitClose()
	g.past()
	if _, err := net.DialTimeout("tcp", gone, time.Second); err == nil {
		t.Error("an address that is in no configuration any more is still listened on")
	}
	if _, err := os.Stat(filepath.Join(g.dir, "data", "control.sock")); err != nil {
		t.Errorf("the old gateway has taken the control socket with it: %v", err)
	}
	if _, err := gatehouse.New(mustLoad(t, g.running), gatehouse.Options{Logger: slog.New(slog.DiscardHandler), Stdout: io.Discard}); !errors.Is(err, admin.ErrRunning) {
		t.Errorf("a second gateway on the data folder: %v", err)
	}
	if lines := g.lines(5); len(lines) != 5 {
		t.Errorf("%d lines of the access log: %v", len(lines), lines)
	}
	if left, _ := filepath.Glob(filepath.Join(g.dir, "data", ".control-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func mustLoad(t *testing.T, r *running) *gatehouse.Config {
	t.Helper()
	cfg, err := r.load()
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// plain is a keep-alive connection.
type plain struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

func dialPlain(t *testing.T, address string) *plain {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return &plain{c, t, bufio.NewReader(c)}
}

func (p *plain) ask(path string) {
	p.t.Helper()
	if _, err := fmt.Fprintf(p, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path); err != nil {
		p.t.Fatal(err)
	}
}

func (p *plain) answer() answer {
	p.t.Helper()
	resp, err := http.ReadResponse(p.in, nil)
	a := read(resp, err)
	if resp != nil && resp.Close {
		a.header.Set("Connection", "close")
	}
	return a
}

func (p *plain) awaitClose() {
	p.t.Helper()
	if n, err := p.in.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		p.t.Errorf("a connection that waits for its next request: %d bytes, %v", n, err)
	}
}

// TestTakeOverFails: whatever goes wrong with the new gateway, the old one serves
// on as if nothing was, and can be taken over by a better one.
func TestTakeOverFails(t *testing.T) {
	backend := newBackend(t, "a").Listener.Addr().String()
	address := "127.0.0.1:" + freePort(t)
	taken := newBackend(t, "taken").Listener.Addr().String()
	base := func(conf, more string) string {
		return more + strings.NewReplacer("BACKEND", backend, "CONF", conf).Replace(takenRoutes)
	}
	g := startFirst(t, base("old", "listen: [{address: \""+address+"\"}]\n"))
	kept := dialPlain(t, address)
	for _, tc := range []struct{ name, text, want string }{
		{"an address that is taken", "listen: [{address: \"" + address + "\"}, {address: \"" + taken + "\"}]\n", "another program listens there"},
		{"a log that cannot be opened", "listen: [{address: \"" + address + "\"}]\nlog: {access: ./gatehouse.yaml/log}\n", "not a directory"},
		{"an admin address that is taken", "listen: [{address: \"" + address + "\"}]\nadmin: {address: \"" + taken + "\"}\n", "the admin listener cannot listen"},
		{"a socket that nobody passed", "listen: [{address: \"" + address + "\"}, {address: systemd:web}]\n", "FileDescriptorName=web"},
	} {
		g.configure(base("bad", tc.text))
		if err := g.next(true); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
		kept.ask("/x")
		if a := kept.answer(); a.status != 200 || a.header.Get("X-Conf") != "old" || a.header.Get("Connection") == "close" {
			t.Fatalf("%s: afterwards the old one answers %+v", tc.name, a)
		}
		if got := confOf(t, address); got != "old" {
			t.Errorf("%s: afterwards %s answers", tc.name, got)
		}
		if s := g.Status(); s.Generation != 1 {
			t.Errorf("%s: generation %d", tc.name, s.Generation)
		}
	}
	if !strings.Contains(g.log.String(), "another program listens there") {
		t.Errorf("the old gateway does not say why it was not taken over: %s", g.log)
	}
	g.configure(base("good", "listen: [{address: \""+address+"\"}]\n"))
	if err := g.Reload(t.Context()); err != nil {
		t.Errorf("a reload afterwards: %v", err)
	}
	g.takeOver()
	if got := confOf(t, address); got != "good" {
		t.Errorf("%s answers", got)
	}
	if s := g.Status(); s.Generation != 3 {
		t.Errorf("generation %d", s.Generation)
	}
	g.past()
}

// TestTakeOverOfNobody: where no gateway runs, the start is one like any other.
func TestTakeOverOfNobody(t *testing.T) {
	g := &generations{running: &running{t: t, dir: t.TempDir(), log: &lockedBuffer{}}}
	g.configure(plainListener + "apis: {a: {authorize: none, routes: [{match: GET /x, target: mock}]}}\n")
	g.takeOver()
	t.Cleanup(func() { g.stop() })
	if a := raw(t, g.address("127.0.0.1:0"), "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); a.status != 200 {
		t.Errorf("%d %v", a.status, a.err)
	}
	if s := g.Status(); s.TookOver != nil || s.Generation != 1 {
		t.Errorf("status %+v", s)
	}
	// And a second one finds the same socket on a port that the system chose.
	before := g.address("127.0.0.1:0")
	g.takeOver()
	if after := g.address("127.0.0.1:0"); after != before {
		t.Errorf("from %s to %s", before, after)
	}
	g.past()
}

// TestTakeOverWhileStopping: a gateway that drains is not taken over, and a take-over
// keeps none that is told to stop.
func TestTakeOverWhileStopping(t *testing.T) {
	s := startStopping(t, plainListener+"limits: {shutdown: 20s}\n"+slowConfig)
	cfg := mustLoad(t, s.running)
	_, err := gatehouse.New(cfg, gatehouse.Options{Logger: slog.New(slog.DiscardHandler), Stdout: io.Discard, TakeOver: true})
	if err == nil || !strings.Contains(err.Error(), "draining") {
		t.Errorf("a gateway that drains was taken over: %v", err)
	}
	s.Hurry()
	<-s.ended

	g := startFirst(t, plainListener+"apis: {a: {authorize: none, routes: [{match: GET /x, target: mock}]}}\n")
	conn, err := admin.Dial(filepath.Join(g.dir, "data")).TakeOver(t.Context()) // a process that never is ready
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	second, err := admin.Dial(filepath.Join(g.dir, "data")).TakeOver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if said, _ := io.ReadAll(second); !strings.Contains(string(said), "another take-over is under way") {
		t.Errorf("a second one is told %q", said)
	}
	began := time.Now()
	g.stop()
	if err := <-g.run; err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("it ended with %v after %v", err, time.Since(began))
	}
	if said, _ := io.ReadAll(conn); !strings.Contains(string(said), "stopping") {
		t.Errorf("the other end is told %q", said)
	}
}

// TestTakenOverLimits: what the gateway that was taken over still serves has
// limits.take-over, and no longer than limits.shutdown once it is told to stop.
func TestTakenOverLimits(t *testing.T) {
	backend := newBackend(t, "a").Listener.Addr().String()
	for _, tc := range []struct {
		name, limits string
		stop         bool
	}{
		{"by its own limit", "{take-over: 300ms, shutdown: 1h}", false},
		{"by a stop", "{take-over: 1h, shutdown: 300ms}", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := startFirst(t, plainListener+"limits: "+tc.limits+"\n"+strings.Replace(slowConfig, "BACKEND", backend, 1))
			busy := dialPlain(t, g.address("127.0.0.1:0"))
			busy.ask("/behave/slow/20s")
			awaitRequest(t, g.running, backend)
			stop := g.stop
			g.takeOver()
			began := time.Now()
			if tc.stop {
				stop()
			}
			if err := <-g.ended; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it ended with %v", err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("after %v", took)
			}
			if a := busy.answer(); a.err == nil {
				t.Errorf("the request was answered with %d", a.status)
			}
		})
	}
}

// TestTakeOverKnowsKeys: what was fetched from an issuer goes along, so that
// callers are let in though the issuer be down.
func TestTakeOverKnowsKeys(t *testing.T) {
	i := newIssuer(t)
	g := startFirst(t, plainListener+fmt.Sprintf(`
apis:
  a:
    authorize: people
    authorizers: {people: {jwt: {issuer: "https://login.test", audience: test, jwks: "%s/keys"}}}
    routes: [{match: GET /a, target: mock}]
`, i.URL))
	ask := func(token [2]string) int {
		return raw(t, g.address("127.0.0.1:0"), "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"+token[0]+": "+token[1]+"\r\n\r\n").status
	}
	good := i.token(t, i.key)
	if status := ask(good); status != 200 {
		t.Fatalf("before: %d", status)
	}
	i.serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	for range 2 { // what was handed over is handed over
		g.takeOver()
		if status := ask(good); status != 200 {
			t.Fatalf("after: %d; the log says %s", status, g.log)
		}
		g.past()
	}
	stranger, err := devkey.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if status := ask(i.token(t, stranger)); status != 401 {
		t.Errorf("another key: %d", status)
	}
}

// TestTakenOverTunnels: WebSockets stay with the process that was taken over, and
// are ended by a Close frame before its time is up, or once it too is told to stop.
func TestTakenOverTunnels(t *testing.T) {
	service := talker(t)
	for _, tc := range []struct {
		name, limits string
		least        time.Duration
		stop         bool
	}{
		{"by its own limit", "{take-over: 4s, shutdown: 1h}", 2800 * time.Millisecond, false},
		{"by a stop", "{take-over: 1h, shutdown: 4s}", 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := startFirst(t, plainListener+"limits: "+tc.limits+"\napis: {a: {authorize: none, routes: [{match: \"GET /{proxy*}\", target: \"http://"+service+"\"}]}}\n")
			c, _ := dialer{t, g.running}.must("ws://" + g.address("127.0.0.1:0") + "/echo")
			say(t, c, "before")
			stop := g.stop
			g.takeOver()
			began := time.Now()
			say(t, c, "after")
			if tc.stop {
				stop()
			}
			if got := closed(t, c); !strings.HasPrefix(got, "1001 ") {
				t.Errorf("the WebSocket ended with %s", got)
			}
			if took := time.Since(began); took < tc.least || took > 10*time.Second {
				t.Errorf("after %v", took)
			}
			g.past()
		})
	}
}

// TestTakeOverOfCertificates: what was obtained is served by the next process
// without another order, and what is to be obtained is its to obtain.
func TestTakeOverOfCertificates(t *testing.T) {
	text := "{{listen}}\nacme: {{{ca}}}" + mockAPI
	h := withCA(t, pebble.Options{}, fmt.Sprintf(text, "a.moves.test"), nil)
	h.awaitTrusted("a.moves.test")
	g := &generations{running: h.running}
	g.takeOver()
	if !h.trusted("a.moves.test") {
		t.Error("the certificate is not served at once")
	}
	h.configure(h.fill(fmt.Sprintf(text, "a.moves.test, b.moves.test")))
	g.takeOver()
	h.awaitTrusted("a.moves.test", "b.moves.test")
	g.past()
	if h.ca.Orders() != 2 || h.ca.Accounts() != 1 {
		t.Errorf("%d orders, %d accounts; the log says %s", h.ca.Orders(), h.ca.Accounts(), h.log)
	}
}

// TestTakeOverBreaksOff: where the new process is gone in the last moment, the old
// one goes on, and with it what obtains certificates.
func TestTakeOverBreaksOff(t *testing.T) {
	text := "{{listen}}\nacme: {{{ca}}}" + mockAPI
	h := withCA(t, pebble.Options{}, fmt.Sprintf(text, "a.stays.test"), nil, func(ca *pebble.CA) { ca.SetDown(true) })
	h.await("a first attempt", func() bool { return strings.Contains(h.log.String(), "certificate not obtained") })
	h.ca.SetDown(false) // which is noticed in a minute, or after the take-over
	conn, err := admin.Dial(filepath.Join(h.dir, "data")).TakeOver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	_, _ = io.Copy(io.Discard, conn) // the offer
	_ = conn.CloseRead()
	ready := "{\"step\":\"ready\"}"
	if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(ready))), ready...)); err != nil {
		t.Fatal(err)
	}
	h.await("the end of the take-over", func() bool { return strings.Contains(h.log.String(), "the new process is gone") })
	h.awaitTrusted("a.stays.test")
}

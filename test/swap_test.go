package test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse"
)

// newStreamer is newBackend with /stream: a line every 50 ms for three seconds,
// and a last one; and with /socket, a WebSocket that sends back what it gets.
func newStreamer(t *testing.T) string {
	t.Helper()
	echo := newBackend(t, "a").Config.Handler
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/socket":
			talkBack(w, r)
			return
		case "/stream":
		default:
			echo.ServeHTTP(w, r)
			return
		}
		for range 60 {
			_, _ = io.WriteString(w, "line\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
		_, _ = io.WriteString(w, "end\n")
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// streams reads one long answer after the other, each over a connection of its
// own and across many take-overs.
func (s *storm) streams(r *running, protocols []string, whole *atomic.Int64) {
	for s.goesOn() {
		transport := &http.Transport{ForceAttemptHTTP2: protocols[0] == "h2", TLSClientConfig: &tls.Config{RootCAs: r.roots, ServerName: "localhost", NextProtos: protocols}}
		client := &http.Client{Transport: transport, Timeout: 60 * time.Second}
		resp, err := client.Get("https://" + strings.Replace(r.secure(), "127.0.0.1", "localhost", 1) + "/stream")
		if err != nil {
			s.fail("stream: %v", err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		transport.CloseIdleConnections()
		if err != nil || !strings.HasSuffix(string(body), "end\n") {
			s.fail("a stream over %s broke off after %d bytes: %v", resp.Proto, len(body), err)
			continue
		}
		s.requests.Add(1)
		whole.Add(1)
	}
}

func talkBack(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		kind, p, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, p) != nil {
			return
		}
	}
}

// socketAge is websocket.max-age in the storm: longer than several take-overs.
const socketAge = 4 * time.Second

// sockets opens one WebSocket after the other and talks over each until the gateway
// ends it for its age, though that was taken over meanwhile.
func (s *storm) sockets(r *running, whole *atomic.Int64) {
	for i := 0; s.goesOn(); i++ {
		began := time.Now()
		said, err := s.talk(r, i)
		var bye websocket.CloseError
		lived := time.Since(began)
		switch {
		case !errors.As(err, &bye) || bye.Code != websocket.StatusGoingAway:
			s.fail("a WebSocket broke off after %d messages and %v: %v", said, lived, err)
		case lived < socketAge-100*time.Millisecond || lived > socketAge+5*time.Second || said < 2:
			s.fail("a WebSocket of %d messages was ended after %v: %v", said, lived, err)
		default:
			whole.Add(1)
		}
		s.requests.Add(1)
	}
}

// talk has every message of a WebSocket come back until it ends, and returns how.
func (s *storm) talk(r *running, number int) (said int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.roots, ServerName: "localhost"}}
	defer transport.CloseIdleConnections()
	c, _, err := websocket.Dial(ctx, "wss://"+strings.Replace(r.secure(), "127.0.0.1", "localhost", 1)+"/socket", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		return 0, err
	}
	defer c.CloseNow()
	for ; ; said++ {
		text := fmt.Sprintf("%d of %d", said, number)
		if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			_, _, err = c.Read(ctx) // which says how it has ended
			return said, err
		}
		_, back, err := c.Read(ctx)
		if err != nil {
			return said, err
		}
		if string(back) != text {
			return said, fmt.Errorf("%q came back as %q", text, back)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// swaps are the ways to bring a new process about.
func (p *instance) swap(i int) {
	p.t.Helper()
	switch i % 3 {
	case 0:
		if out, err := p.command("restart").CombinedOutput(); err != nil {
			p.t.Fatalf("restart: %v %s; the gateway said\n%s", err, out, p.said())
		}
	case 1:
		p.run("--take-over")
	default:
		s, err := p.status()
		if err == nil {
			err = syscall.Kill(s.PID, syscall.SIGUSR2)
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
}

// TestSwapStorm takes a gateway over 50 times, each time by another version of the
// program and another configuration, under load from two generators and with long
// answers under way and WebSockets open: no request fails, WebSockets end at their
// limit and by a Close frame, no line of the log is lost, and nothing is left of
// those that were taken over.
func TestSwapStorm(t *testing.T) {
	files := []string{buildVersion(t, "one"), buildVersion(t, "two")}
	backend, address := newStreamer(t), "127.0.0.1:"+freePort(t)
	configuration := func(i int) string {
		name := [...]string{"one", "two"}[i%2]
		text := strings.Replace(stormConfig(backend, name), "cors:", "websocket: {max-age: "+socketAge.String()+"}\n        cors:", 1)
		return "listen: [{address: \"" + address + "\", tls: {certificates: internal}}]\n" + text
	}
	p := newInstance(t, files[0])
	p.configure(configuration(0))
	p.run()
	first := p.awaitStatus("a first answer", func(gatehouse.Status) bool { return true })
	p.roots, p.fixed = p.trust(), address
	s, whole, sockets := startStorm(t, p.running, map[string]string{"one": "a", "two": "a"}), &atomic.Int64{}, &atomic.Int64{}
	for range 3 {
		s.done.Go(func() { s.sockets(p.running, sockets) })
	}
	for _, protocols := range [][]string{{"h2"}, {"http/1.1"}, {"http/1.1"}} {
		s.done.Go(func() { s.streams(p.running, protocols, whole) })
	}
	const swaps = 50
	open, began, last := 0, time.Now(), first
	for i := 1; i <= swaps; i++ {
		p.install(files[i%2])
		p.configure(configuration(i))
		p.swap(i)
		before := last.PID
		last = p.awaitStatus(fmt.Sprintf("take-over %d", i), func(s gatehouse.Status) bool { return s.PID != before })
		if want := [...]string{"one", "two"}[i%2]; last.Version != want || last.TookOver == nil || last.TookOver.PID != before {
			t.Fatalf("take-over %d: %+v", i, last)
		}
		if i == 5 {
			open = descriptors(t, last.PID)
		}
	}
	took := time.Since(began)
	openInTheEnd := descriptors(t, last.PID)
	s.end()
	for deadline := time.Now().Add(30 * time.Second); len(p.ours()) > 1; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%v live: of those that were taken over some do not end; they said\n%s", p.ours(), p.said())
		}
	}
	requests := s.requests.Load()
	t.Logf("%d take-overs in %v; %d requests, %d long answers, %d WebSockets; descriptors %d -> %d", swaps, took.Round(time.Millisecond), requests, whole.Load(), sockets.Load(), open, openInTheEnd)
	if n := s.failed.Load(); n > 0 {
		t.Errorf("%d of %d requests failed, %d of them mixed: %s", n, requests, s.mixed.Load(), *s.first.Load())
	}
	if requests < 500 || whole.Load() < 3 || sockets.Load() < 3 {
		t.Errorf("only %d requests, %d long answers and %d WebSockets: no load to speak of", requests, whole.Load(), sockets.Load())
	}
	if openInTheEnd > open+10 {
		t.Errorf("descriptors grow: from %d after 5 take-overs to %d", open, openInTheEnd)
	}
	if err := syscall.Kill(last.PID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); lives(last.PID); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the last gateway does not end; it said\n%s", p.said())
		}
	}
	if n := p.logLines(); int64(n) != requests {
		t.Errorf("%d lines of the access log for %d requests", n, requests)
	}
}

// TestKilledTakeOver kills, at some moment of a take-over, the old process or the
// new one: afterwards there is a working gateway, or none, and then one can be
// started.
func TestKilledTakeOver(t *testing.T) {
	file := buildVersion(t, "one")
	address := "127.0.0.1:" + freePort(t)
	p := newInstance(t, file)
	p.configure("listen: [{address: \"" + address + "\"}]\napis: {a: {authorize: none, routes: [{match: GET /x, target: mock}]}}\n")
	started := 0
	ensure := func() gatehouse.Status {
		if _, err := p.status(); err != nil {
			for _, pid := range p.ours() { // that are about to end, or just have
				awaitGone(t, p, pid)
			}
			p.run()
			started++
		}
		return p.awaitStatus("a working gateway", func(gatehouse.Status) bool { return true })
	}
	survived := map[string]int{}
	for i := range 40 {
		before := ensure()
		next := p.run("--take-over")
		victim, name := before.PID, "old"
		if i%2 == 1 {
			victim, name = next.Process.Pid, "new"
		}
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond) // a take-over takes about 20 ms
		_ = syscall.Kill(victim, syscall.SIGKILL)
		awaitGone(t, p, victim)
		settle(t, p, next)
		s, err := p.status()
		if err == nil {
			survived[name]++
			if s.PID == victim {
				t.Fatalf("%d answers, and was killed", victim)
			}
		} else if living := p.ours(); len(living) > 0 && name == "old" {
			t.Errorf("the %s process was killed: %v live, and none is in charge: %v\n%s", name, living, err, p.said())
		}
		ensure()
		if a := raw(t, address, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); a.status != 200 {
			t.Fatalf("the %s process was killed: then %d %v; they said\n%s", name, a.status, a.err, p.said())
		}
		if n := len(p.ours()); n > 2 { // one may drain
			t.Errorf("%d processes", n)
		}
	}
	t.Logf("a gateway was left after %d of 20 kills of the old process and %d of 20 of the new one; %d starts", survived["old"], survived["new"], started)
	if survived["new"] == 0 || survived["old"] == 0 {
		t.Error("no take-over outlived a kill")
	}
}

func awaitGone(t *testing.T, p *instance, pid int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); lives(pid); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not end; they said\n%s", pid, p.said())
		}
	}
}

// settle waits until a new process either is in charge or has ended.
func settle(t *testing.T, p *instance, next *exec.Cmd) {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); lives(next.Process.Pid); time.Sleep(2 * time.Millisecond) {
		if s, err := p.status(); err == nil && s.PID == next.Process.Pid {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the new process neither serves nor ends; they said\n%s", p.said())
		}
	}
}

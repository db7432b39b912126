package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse"
	"gatehouse/admin"
)

const slowConfig = `apis: {a: {authorize: none, routes: [{match: "GET /{proxy*}", target: "http://BACKEND"}]}}`

// stopping is a gateway that has been told to stop while a request takes its
// time.
type stopping struct {
	*running
	answered chan answer
	ended    chan error // what Run returned
}

func startStopping(t *testing.T, text string) *stopping {
	t.Helper()
	backend := newBackend(t, "a").Listener.Addr().String()
	s := &stopping{running: &running{t: t, dir: t.TempDir(), log: &lockedBuffer{}}, answered: make(chan answer, 1), ended: make(chan error, 1)}
	s.configure(strings.Replace(text, "BACKEND", backend, 1))
	cfg, err := s.load()
	if err != nil {
		t.Fatal(err)
	}
	s.Gateway, err = gatehouse.New(cfg, gatehouse.Options{Logger: slog.New(slog.NewTextHandler(s.log, nil)), Stdout: io.Discard, Load: s.load})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { s.ended <- s.Run(ctx) }()
	go func() {
		s.answered <- raw(t, s.address("127.0.0.1:0"), "GET /behave/slow/10s HTTP/1.1\r\nHost: a\r\n\r\n")
	}()
	awaitRequest(t, s.running, backend)
	cancel()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := s.Reload(t.Context())
		if err != nil && strings.Contains(err.Error(), "draining") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("reloads go on while the gateway drains: %v", err)
		}
	}
	return s
}

const plainListener = `listen: [{address: "127.0.0.1:0"}]` + "\n"

// TestDrainIsClosed: a gateway that drains accepts nothing new, for a reload
// neither; what the end of limits.shutdown cuts off is logged before Run returns.
func TestDrainIsClosed(t *testing.T) {
	s := startStopping(t, plainListener+"limits: {shutdown: 200ms}\n"+slowConfig)
	if addr := s.Addr("127.0.0.1:0"); addr != nil {
		t.Errorf("it listens on %s", addr)
	}
	if err := <-s.ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: %v", err)
	}
	if lines, _ := os.ReadFile(filepath.Join(s.dir, "access.log")); !bytes.Contains(lines, []byte(`"aborted":true`)) {
		t.Errorf("Run returned before the request was logged: %q", lines)
	}
	if a := <-s.answered; a.err == nil {
		t.Errorf("after the end of limits.shutdown: %d", a.status)
	}
	if !strings.Contains(s.log.String(), "limits.shutdown") {
		t.Errorf("the log says %s", s.log)
	}
}

func TestNotReadyWhileDraining(t *testing.T) {
	s := startStopping(t, plainListener+"limits: {shutdown: 20s}\nadmin: {address: \"127.0.0.1:"+freePort(t)+"\"}\n"+slowConfig)
	control := admin.Dial(s.dir + "/data")
	if err := control.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "draining") {
		t.Errorf("ready: %v", err)
	}
	cfg, _ := s.load()
	if a := raw(t, cfg.Admin.Address, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"); a.status != 503 {
		t.Errorf("/readyz: %d %v", a.status, a.err)
	}
	if a := raw(t, cfg.Admin.Address, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); a.status != 200 {
		t.Errorf("/healthz: %d %v", a.status, a.err)
	}
	began := time.Now()
	s.Hurry()
	if err := <-s.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a hurried drain took %v", took)
	}
	if line := s.lines(1)[0]; !strings.Contains(line, `"aborted":true`) {
		t.Error(line)
	}
	if err := control.Ready(t.Context()); !strings.Contains(err.Error(), "no gateway is running") {
		t.Errorf("after the end: %v", err)
	}
}

// TestAskedWhileStarting: who asks a gateway that is not up yet is answered once
// it is.
func TestAskedWhileStarting(t *testing.T) {
	r := &running{t: t, dir: t.TempDir(), log: &lockedBuffer{}}
	var text strings.Builder
	text.WriteString("apis:\n  a:\n    authorize: none\n    routes:\n")
	for i := range 3000 { // which take a while to compile
		fmt.Fprintf(&text, "      - {match: GET /%d, target: mock}\n", i)
	}
	r.configure(text.String())
	cfg, err := r.load()
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan error, 1)
	go func() {
		for t.Context().Err() == nil {
			conn, err := net.Dial("unix", r.dir+"/data/control.sock")
			if err != nil {
				continue
			}
			_ = conn.Close()
			var table []gatehouse.RouteInfo
			asked <- admin.Dial(r.dir+"/data").Routes(t.Context(), &table)
			return
		}
	}()
	g, err := gatehouse.New(cfg, gatehouse.Options{Logger: slog.New(slog.DiscardHandler), Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-asked; err != nil {
		t.Errorf("asked while it starts: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Run(ctx); err != nil {
		t.Error(err)
	}
}

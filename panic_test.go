package gatehouse

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"gatehouse/exchange"
)

// booted is a gateway of one route, GET /x, in this process.
type booted struct {
	*Gateway
	lines bytes.Buffer // the access log, once the gateway has ended
	said  bytes.Buffer // its own log, likewise
	end   func()
}

func boot(t testing.TB, text string) *booted {
	t.Helper()
	b := &booted{}
	cfg, err := LoadText("gatehouse.yaml", []byte("data: "+strconv.Quote(t.TempDir())+text))
	if err != nil {
		t.Fatal(err)
	}
	b.Gateway, err = New(cfg, Options{Logger: slog.New(slog.NewTextHandler(&b.said, nil)), Stdout: &b.lines, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	b.end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(b.end)
	return b
}

// end ends a gateway that Run was not called for.
func end(t *testing.T, g *Gateway) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Run(ctx); err != nil {
		t.Error(err)
	}
}

// serve makes h the chain of every route.
func (b *booted) serve(h http.HandlerFunc) {
	snap := b.current.Load()
	for _, e := range snap.endpoints {
		e.chain = h
	}
	b.current.Store(snap)
}

// rude is a body filter that panics whatever it is told.
type rude struct{ io.Writer }

func (rude) Flush() error { panic("flush") }
func (rude) Close() error { panic("close") }
func (rude) Abort()       { panic("abort") }

// A panic ends its own request alone, wherever it comes from, and the request
// has its line, its count and its memory back.
func TestPanics(t *testing.T) {
	hook := func(r *http.Request, f func(*exchange.Head)) { exchange.From(r).OnHead(f) }
	for _, tc := range []struct {
		name   string
		h      http.HandlerFunc
		status int // 0 for none
		line   string
	}{
		{"before the answer", func(http.ResponseWriter, *http.Request) { panic("x") }, 500, `"reason":"panic"`},
		{"nil pointer", func(http.ResponseWriter, *http.Request) { var e *endpoint; _ = e.api }, 500, `"reason":"panic"`},
		{"within the answer", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 100<<10))
			panic("x")
		}, 0, `"aborted":true`},
		{"in a hook", func(w http.ResponseWriter, r *http.Request) {
			hook(r, func(*exchange.Head) { panic("x") })
			w.WriteHeader(204)
		}, 0, `"aborted":true`},
		{"in a hook, of the refusal too", func(w http.ResponseWriter, r *http.Request) {
			hook(r, func(*exchange.Head) { panic("x") })
			panic("y")
		}, 0, `"aborted":true`},
		{"in a body filter", func(w http.ResponseWriter, r *http.Request) {
			_, _ = exchange.From(r).Body.All(1 << 10)
			hook(r, func(h *exchange.Head) { h.Filter(func(w io.Writer) exchange.BodyFilter { return rude{w} }) })
			_, _ = io.WriteString(w, "x")
		}, 0, `"aborted":true`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := boot(t, `
listen: [{address: "127.0.0.1:0"}]
admin: {address: off}
apis: {a: {authorize: none, routes: [{match: ANY /x, target: mock}]}}
`)
			b.serve(tc.h)
			client := &http.Client{Transport: &http.Transport{}}
			resp, err := client.Post("http://"+b.Addr("127.0.0.1:0").String()+"/x", "text/plain", strings.NewReader("body"))
			status := 0
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				status = resp.StatusCode
			}
			if tc.status == 0 && err == nil || tc.status != 0 && (err != nil || status != tc.status) {
				t.Errorf("got %d %v, want %d", status, err, tc.status)
			}
			client.CloseIdleConnections()
			b.end()
			if lines := b.lines.String(); strings.Count(lines, "\n") != 1 || !strings.Contains(lines, tc.line) || !json.Valid([]byte(lines)) {
				t.Errorf("the access log says %q, want one line with %s", lines, tc.line)
			}
			if said := b.said.String(); !strings.Contains(said, "a request panicked") {
				t.Errorf("the log says %q", said)
			}
			if used := b.keepers.bodies.Used(); used != 0 {
				t.Errorf("%d bytes of bodies were not given back", used)
			}
		})
	}
}

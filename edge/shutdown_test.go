package edge

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestShutdownFinishesRequests(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", h2), func(t *testing.T) {
			noLeaks(t)
			inside, goOn := make(chan bool), make(chan bool)
			h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
				inside <- true
				<-goOn
				_, _ = io.WriteString(w, "hello")
			}, listenerConfig(withTLS()))
			done := make(chan error, 1)
			client := h.client(h2)
			go func() {
				resp, err := client.Get("https://api.shop.test/")
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					_ = resp.Body.Close()
				}
				done <- err
			}()
			<-inside
			address := h.addr()
			ended := make(chan error, 1)
			go func() { ended <- h.listeners.Shutdown(context.Background()) }()
			eventually(t, "nobody is accepted any more", func() bool {
				c, err := net.Dial("tcp", address)
				if err == nil {
					_ = c.Close()
				}
				return err != nil
			})
			select {
			case err := <-ended:
				t.Fatalf("shut down with a request under way: %v", err)
			default:
			}
			close(goOn)
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestShutdownAtItsDeadline(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", h2), func(t *testing.T) {
			noLeaks(t)
			inside := make(chan bool)
			h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
				inside <- true
				<-r.Context().Done()
			}, listenerConfig(withTLS()))
			failed := make(chan error, 1)
			client := h.client(h2)
			go func() {
				_, err := client.Get("https://api.shop.test/")
				failed <- err
			}()
			<-inside
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			if err := h.listeners.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if err := <-failed; err == nil {
				t.Error("the request had an answer")
			}
		})
	}
}

func TestShutdownWithNothingToDoIsQuick(t *testing.T) {
	noLeaks(t)
	h := newHouse(t, nil, listenerConfig(), listenerConfig(withTLS()))
	start := time.Now()
	if err := h.listeners.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("%v", took)
	}
	if err := h.listeners.Shutdown(context.Background()); err != nil {
		t.Errorf("again: %v", err)
	}
}

// takeOver hijacks the connection and echoes lines until it ends.
func takeOver(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	for {
		line, err := rw.ReadString('\n')
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, line)
	}
}

func TestHijackedConnections(t *testing.T) {
	noLeaks(t)
	h := newHouse(t, takeOver, listenerConfig())
	c := dial(t, h.addr())
	in := bufio.NewReader(c)
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != 101 {
		t.Fatalf("%v %v", resp, err)
	}
	echo := func() {
		t.Helper()
		_, _ = io.WriteString(c, "hello\n")
		if line, err := in.ReadString('\n'); line != "hello\n" {
			t.Fatalf("%q %v", line, err)
		}
	}
	echo()
	if h.counters().Hijacked.Load() != 1 {
		t.Error("not counted")
	}
	h.reload(listenerConfig(other)) // it lives on
	echo()
	counters := h.counters()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- h.listeners.Shutdown(ctx) }()
	echo() // and is waited for
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	closedBy(t, c)
	eventually(t, "the gauges fall", func() bool { return counters.Hijacked.Load() == 0 && counters.Active.Load() == 0 })
}

// A client that has said nothing yet, or goes on saying its hello for ever, does
// not hold a stop up; one in the middle of its handshake is let in.
func TestShutdownDoesNotWaitForHandshakes(t *testing.T) {
	proxied := []func(*Listener){withTLS(), trusting("127.0.0.0/8"), proxying("require")}
	for name, test := range map[string]struct {
		listener []func(*Listener)
		said     string
	}{
		"silent":                 {[]func(*Listener){withTLS()}, ""},
		"half a hello":           {[]func(*Listener){withTLS()}, "\x16\x03\x01\x02\x00\x01"},
		"silent, before PROXY":   {proxied, ""},
		"silent, behind PROXY":   {proxied, v1},
		"half a PROXY header":    {proxied, v1[:20]},
		"plain, silent":          {proxied[1:], ""},
		"plain, only with PROXY": {proxied[1:], v1},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			h := newHouse(t, nil, listenerConfig(test.listener...))
			c := dial(t, h.addr())
			_, _ = io.WriteString(c, test.said)
			eventually(t, "it is accepted", func() bool { return h.counters().Active.Load() == 1 })
			start := time.Now()
			if err := h.listeners.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("after %v", took)
			}
			closedBy(t, c)
		})
	}
}

func TestShutdownLetsAHandshakeFinish(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(withTLS()))
	raw := dial(t, h.addr())
	eventually(t, "it is accepted", func() bool { return h.counters().Active.Load() == 1 })
	ended := make(chan error, 1)
	go func() { ended <- h.listeners.Shutdown(context.Background()) }()
	c := tls.Client(raw, &tls.Config{ServerName: "api.shop.test", RootCAs: h.roots()})
	if status, _ := ask(t, c, ""); status != 200 {
		t.Errorf("status %d", status)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

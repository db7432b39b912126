package target

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"gatehouse/dial"
)

// held is a service by HTTP/2 whose answers wait until they are let go.
type held struct {
	*httptest.Server
	conns sync.Map // the connections that are open
	let   chan struct{}
}

func startHeld(t *testing.T, streams int) *held {
	s := &held{let: make(chan struct{})}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		<-s.let
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: streams}
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			s.conns.Delete(c)
		} else {
			s.conns.Store(c, true)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s
}

func (s *held) open() (n int) {
	s.conns.Range(func(any, any) bool { n++; return true })
	return n
}

// request2 sends a request that stays in flight until its body is closed.
func request2(t *testing.T, e *Endpoint, o HTTP2Options) io.Closer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, _, err := e.Reserve(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequest("GET", "http://"+e.Address+"/", nil)
	resp, err := c.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Body
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so: %s", what)
		}
	}
}

func TestHTTP2Spread(t *testing.T) {
	for _, tc := range []struct {
		streams, requests int
		options           HTTP2Options
		most              int // connections
	}{
		{100, busy, HTTP2Options{Spread: 4}, 1},
		{100, busy + 1, HTTP2Options{Spread: 4}, 2},
		{100, 60, HTTP2Options{Spread: 4}, 4},
		{100, 60, HTTP2Options{Spread: 1}, 1},
		{5, 20, HTTP2Options{Spread: 1}, 4}, // as many as it takes
		{100, 60, HTTP2Options{Spread: 4, Most: 2}, 2},
	} {
		s := startHeld(t, tc.streams)
		e := &Endpoint{Address: s.Listener.Addr().String(), protocol: HTTP2, dialer: dial.New(dial.Options{})}
		tc.options.Idle = time.Minute
		var all []io.Closer
		for range tc.requests {
			all = append(all, request2(t, e, tc.options))
		}
		if open, idle := e.Connections(); open != tc.most || idle != 0 || s.open() != tc.most {
			t.Errorf("%+v: %d connections, %d idle, the service has %d", tc, open, idle, s.open())
		}
		for _, b := range all {
			_ = b.Close()
		}
		eventually(t, "all are idle", func() bool { open, idle := e.Connections(); return open == tc.most && idle == tc.most })
		e.retire(time.Minute)
		eventually(t, "all are closed", func() bool { open, _ := e.Connections(); return open == 0 && s.open() == 0 })
		close(s.let)
	}
}

// Where no connection may be opened any more, that is said.
func TestHTTP2Limit(t *testing.T) {
	s := startHeld(t, 1)
	defer close(s.let)
	e := &Endpoint{Address: s.Listener.Addr().String(), protocol: HTTP2, dialer: dial.New(dial.Options{})}
	o := HTTP2Options{Spread: 4, Most: 1, Idle: time.Minute}
	defer request2(t, e, o).Close()
	if _, _, err := e.Reserve(t.Context(), o); err != ErrLimit {
		t.Errorf("%v", err)
	}
}

// Many that come at once do not each dial.
func TestHTTP2Rush(t *testing.T) {
	s := startHeld(t, 250)
	e := &Endpoint{Address: s.Listener.Addr().String(), protocol: HTTP2, dialer: dial.New(dial.Options{})}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if c, _, err := e.Reserve(t.Context(), HTTP2Options{Spread: 4, Idle: time.Minute}); err != nil {
				t.Error(err)
			} else {
				c.Release()
			}
		})
	}
	all.Wait()
	if open, _ := e.Connections(); open > 4 {
		t.Errorf("%d connections", open)
	}
	close(s.let)
}

// A connection that idles is closed, one that the service closes forgotten, and
// one in use when its endpoint retires closed when it is not.
func TestHTTP2Ends(t *testing.T) {
	s := startHeld(t, 100)
	e := &Endpoint{Address: s.Listener.Addr().String(), protocol: HTTP2, dialer: dial.New(dial.Options{})}
	_ = request2(t, e, HTTP2Options{Idle: 50 * time.Millisecond}).Close()
	eventually(t, "the idle one is closed", func() bool { open, _ := e.Connections(); return open == 0 && s.open() == 0 })
	body := request2(t, e, HTTP2Options{Idle: time.Minute})
	s.CloseClientConnections()
	eventually(t, "the lost one is forgotten", func() bool { open, _ := e.Connections(); return open == 0 })
	_ = body.Close()
	body = request2(t, e, HTTP2Options{Idle: time.Minute})
	e.retire(time.Minute)
	if open, _ := e.Connections(); open != 1 {
		t.Error("one in use was closed")
	}
	_ = body.Close()
	eventually(t, "the last one is closed", func() bool { open, _ := e.Connections(); return open == 0 && s.open() == 0 })
	close(s.let)
}

// What a drain has left is cut, also where it has begun after the drain.
func TestHTTP2Drain(t *testing.T) {
	s := startHeld(t, 100)
	defer close(s.let)
	e := &Endpoint{Address: s.Listener.Addr().String(), protocol: HTTP2, dialer: dial.New(dial.Options{})}
	for _, when := range []string{"before", "after"} {
		if when == "after" {
			e = &Endpoint{Address: e.Address, protocol: HTTP2, dialer: e.dialer}
			e.retire(20 * time.Millisecond)
		}
		body := request2(t, e, HTTP2Options{Idle: time.Minute}).(io.Reader)
		if when == "before" {
			e.retire(20 * time.Millisecond)
		}
		if _, err := body.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: %v", when, err)
		}
		eventually(t, "all are closed", func() bool { open, _ := e.Connections(); return open == 0 && s.open() == 0 })
	}
}

package http1_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"
)

// The context of a request whose client goes away ends, for everybody who asks
// in any way; over TCP, and where the engine sees only a net.Conn.
func TestClientGoesAway(t *testing.T) {
	for name, wait := range map[string]func(context.Context) error{
		"Done": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"a child": func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			<-ctx.Done()
			return ctx.Err()
		},
		"AfterFunc": func(ctx context.Context) error {
			told := make(chan bool)
			context.AfterFunc(ctx, func() { close(told) })
			<-told
			return ctx.Err()
		},
	} {
		for _, tcp := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, TCP %v", name, tcp), func(t *testing.T) {
				began, ended := make(chan bool), make(chan error)
				handler := func(w http.ResponseWriter, r *http.Request) {
					io.Copy(io.Discard, r.Body)
					close(began)
					ended <- wait(r.Context())
				}
				var c net.Conn
				if tcp {
					c = start(t, settings(), handler).dial()
				} else {
					_, c = piped(t, settings(), handler)
				}
				io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxy")
				<-began
				select {
				case err := <-ended:
					t.Fatalf("ended with the client there: %v", err)
				case <-time.After(20 * time.Millisecond):
				}
				c.Close()
				select {
				case err := <-ended:
					if err != context.Canceled {
						t.Error(err)
					}
				case <-time.After(5 * time.Second):
					t.Fatal("never told")
				}
			})
		}
	}
}

// Who watches for the client takes nothing of the next request, and a context
// that was asked is not used again.
func TestWatchLeavesTheNextRequestAlone(t *testing.T) {
	for _, tcp := range []bool{true, false} {
		t.Run(fmt.Sprintf("TCP %v", tcp), func(t *testing.T) {
			asked := make(chan bool)
			goOn := make(chan bool)
			handler := func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/ask" {
					select {
					case <-r.Context().Done():
						t.Error("done")
					default:
					}
					asked <- true
					<-goOn
				}
				io.WriteString(w, r.URL.Path)
			}
			var e *engine
			var c net.Conn
			if tcp {
				e = start(t, settings(), handler)
				c = e.dial()
			} else {
				e, c = piped(t, settings(), handler)
			}
			r := bufio.NewReader(c)
			for i := range 20 {
				path := []string{"/ask", "/plain"}[i%2]
				io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n")
				if path == "/ask" {
					<-asked
					if i%4 == 0 {
						go io.WriteString(c, "GET /pipelined HTTP/1.1\r\nHost: h\r\n\r\n")
						time.Sleep(5 * time.Millisecond)
					}
					goOn <- true
				}
				want := []string{path}
				if i%4 == 0 {
					want = append(want, "/pipelined")
				}
				for _, w := range want {
					resp, err := http.ReadResponse(r, nil)
					if err != nil {
						t.Fatal(i, err)
					}
					if got := bodyOf(resp); got != w {
						t.Fatalf("%q for %q", got, w)
					}
				}
			}
			c.Close()
			e.wg.Wait()
			if e.contexts != 11 {
				t.Errorf("%d contexts", e.contexts)
			}
		})
	}
}

func TestWatchOverTLS(t *testing.T) {
	cert := certificate(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	e := start(t, settings(), func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || r.TLS.Version != tls.VersionTLS13 {
			t.Errorf("%+v", r.TLS)
		}
		if r.URL.Path == "/wait" {
			<-r.Context().Done()
			ended <- r.Context().Err()
		}
		io.WriteString(w, r.URL.Path)
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if c.(*tls.Conn).Handshake() == nil {
				e.wg.Add(1)
				go e.serve(c)
			}
		}
	}()
	defer l.Close()
	c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	for _, path := range []string{"/a", "/b"} {
		io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil || bodyOf(resp) != path {
			t.Fatal(resp, err)
		}
	}
	io.WriteString(c, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
	time.Sleep(10 * time.Millisecond)
	c.Close()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("never told")
	}
}

// A request that nobody watches costs no goroutine but its own, and a killed
// connection ends what waits on it.
func TestKill(t *testing.T) {
	began, ended := make(chan bool), make(chan bool)
	e := start(t, settings(), func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done() // with a body that was not read
		close(ended)
	})
	c := e.dial()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n")
	<-began
	e.mu.Lock()
	for conn := range e.conns {
		conn.Kill()
	}
	e.mu.Unlock()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("never told")
	}
}

func TestNoGoroutineARequest(t *testing.T) {
	counts := make(chan int, 3)
	e := start(t, settings(), func(w http.ResponseWriter, r *http.Request) {
		_ = r.Context().Err()
		counts <- runtime.NumGoroutine()
	})
	c := e.dial()
	r := bufio.NewReader(c)
	before := runtime.NumGoroutine()
	for range 3 {
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		if _, err := http.ReadResponse(r, nil); err != nil {
			t.Fatal(err)
		}
		if n := <-counts; n > before+1 {
			t.Errorf("%d goroutines, %d before", n, before)
		}
	}
}

// sweep asks every connection to end if it waits, and returns how many are left.
func (e *engine) sweep() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	for conn := range e.conns {
		conn.EndIfWaiting(2)
	}
	return len(e.conns)
}

// A connection that waits ends when it was found waiting often enough; one that
// has begun a request is served.
func TestEndIfWaiting(t *testing.T) {
	for _, begun := range []bool{false, true} {
		t.Run(fmt.Sprint(begun), func(t *testing.T) {
			e := start(t, settings(), ok)
			c := e.dial()
			r := bufio.NewReader(c)
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			if _, err := http.ReadResponse(r, nil); err != nil {
				t.Fatal(err)
			}
			if begun {
				io.WriteString(c, "GET / HTTP/1.1\r\n")
				time.Sleep(10 * time.Millisecond)
			}
			if begun {
				for range 3 {
					e.sweep()
				}
			} else {
				// It may not have begun to wait when its answer is read.
				eventually(t, "it has ended", func() bool { return e.sweep() == 0 })
			}
			if begun {
				io.WriteString(c, "Host: h\r\nConnection: close\r\n\r\n")
				if _, err := http.ReadResponse(r, nil); err != nil {
					t.Error(err)
				}
			}
			began := time.Now()
			if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 || time.Since(began) > 2*time.Second {
				t.Errorf("%q %v after %v", rest, err, time.Since(began))
			}
		})
	}
}

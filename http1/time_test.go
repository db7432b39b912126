package http1_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/http1"
)

// piped serves one connection through a pipe, so that time can be a test's.
func piped(t *testing.T, s http1.Settings, handler http.HandlerFunc) (*engine, net.Conn) {
	client, server := net.Pipe()
	e := &engine{t: t, server: &http1.Server{Settings: s, Handler: handler}, conns: make(map[*http1.Conn]bool)}
	e.wg.Add(1)
	go e.serve(server)
	return e, client
}

// ends reads to the end of the connection and returns what came and how long
// that took.
func ends(c net.Conn) (string, time.Duration) {
	began := time.Now()
	all, _ := io.ReadAll(c)
	return string(all), time.Since(began)
}

func ok(w http.ResponseWriter, r *http.Request) {}

func TestSilentConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := piped(t, settings(), ok)
		if all, took := ends(c); all != "" || took < 5*time.Second || took > 6*time.Second {
			t.Errorf("%q after %v", all, took)
		}
	})
}

func TestIdleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings()
		s.IdleTimeout = time.Minute
		e, c := piped(t, s, ok)
		for range 3 { // also after what is kept for the next request was given up
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Second)
		}
		if all, took := ends(c); all != "" || took > 11*time.Second || took < 9*time.Second {
			t.Errorf("%q after %v", all, took)
		}
		if e.contexts != 3 || e.broken != 0 {
			t.Errorf("%d contexts, %d broken", e.contexts, e.broken)
		}
	})
}

// A head that comes byte by byte has as long as one that stalls.
func TestSlowHead(t *testing.T) {
	for name, pause := range map[string]time.Duration{"stalls": time.Hour, "trickles": time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := settings()
				s.HeaderTimeout, s.IdleTimeout = 20*time.Second, time.Minute
				e, c := piped(t, s, ok)
				go func() {
					for _, b := range []byte("GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("y", 100)) {
						if _, err := c.Write([]byte{b}); err != nil {
							return
						}
						time.Sleep(pause)
					}
				}()
				all, took := ends(c)
				if !strings.HasPrefix(all, "HTTP/1.1 408 ") || took < 20*time.Second || took > 22*time.Second {
					t.Errorf("%q after %v", all, took)
				}
				if len(e.faults) != 1 || e.faults[0].Reason != "header-timeout" {
					t.Errorf("%+v", e.faults)
				}
				c.Close()
				time.Sleep(time.Hour)
			})
		})
	}
}

// A body has its time; the time in which the handler does not read is its own.
func TestSlowBody(t *testing.T) {
	for name, tt := range map[string]struct {
		rate  int64
		pause time.Duration // between two bytes
		think time.Duration // of the handler, before it reads
		err   bool
	}{
		"stalls":          {0, time.Hour, 0, true},
		"flows":           {0, 4 * time.Second, 0, false},
		"below the rate":  {1, 4 * time.Second, 0, true},
		"at the rate":     {1, time.Second / 2, 0, false},
		"a slow handler":  {1, time.Second / 2, time.Hour, false},
		"no limit at all": {-1, time.Hour, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := settings()
				s.BodyRate = max(tt.rate, 0)
				if tt.rate < 0 {
					s.BodyTimeout = 0
				}
				var err error
				e, c := piped(t, s, func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(tt.think)
					_, err = io.ReadAll(r.Body)
					w.Header().Set("Connection", "close")
				})
				go func() {
					io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n")
					for range 20 {
						if _, err := io.WriteString(c, "x"); err != nil {
							return
						}
						time.Sleep(tt.pause)
					}
				}()
				all, _ := ends(c)
				if !strings.HasPrefix(all, "HTTP/1.1 200 OK\r\n") {
					t.Errorf("%q", all)
				}
				if late := errors.Is(err, os.ErrDeadlineExceeded); late != tt.err || e.slow > 0 != tt.err {
					t.Errorf("%v, %d slow", err, e.slow)
				}
				c.Close()
				time.Sleep(100 * time.Hour)
			})
		})
	}
}

// A handler that sets the read deadline has its way until the request ends.
func TestReadDeadlineOfAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var took time.Duration
		_, c := piped(t, settings(), func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "GET" {
				return
			}
			if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
				t.Error(err)
			}
			began := time.Now()
			io.ReadAll(r.Body)
			took = time.Since(began)
		})
		r := bufio.NewReader(c)
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n")
		time.Sleep(50 * time.Minute)
		io.WriteString(c, "x")
		for _, method := range []string{"POST", "GET"} {
			if _, err := http.ReadResponse(r, nil); err != nil {
				t.Fatal(err)
			}
			if method == "POST" {
				io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			}
		}
		if took < 50*time.Minute {
			t.Error(took)
		}
		if all, took := ends(c); all != "" || took > 7*time.Second {
			t.Errorf("%q after %v", all, took)
		}
	})
}

package upstream

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/upstream/target"
)

// Large bodies arrive whole, in both directions, however they are framed.
func TestLargeBodies(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Sum", fmt.Sprintf("%d %x", n, sum.Sum(nil)))
	}))
	defer origin.Close()
	s := bind(t, service(strings.TrimPrefix(origin.URL, "http://")))
	for _, h2 := range []bool{false, true} {
		f := newFront(t, New(Route{Service: s}), withTLS(h2))
		for _, size := range []int{smallBody - 1, smallBody, smallBody + 1, uploadSize, 3*uploadSize + 7, 8 << 20} {
			for _, chunked := range []bool{false, true} {
				data := make([]byte, size)
				for i := range data {
					data[i] = byte(rand.Uint32())
				}
				var body io.Reader = bytes.NewReader(data)
				if chunked {
					body = io.MultiReader(body)
				}
				resp, err := f.Client().Post(f.URL+"/", "", body)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if got, want := resp.Header.Get("X-Sum"), fmt.Sprintf("%d %x", size, sha256.Sum256(data)); got != want {
					t.Errorf("h2 %v, %d bytes, chunked %v: %q, want %q: %+v", h2, size, chunked, got, want, f.last(t))
				}
			}
		}
	}
	if n := openTo(s.set.Load().endpoints[0]); n > 4 {
		t.Errorf("%d connections: they are not used again after uploads", n)
	}
}

// endless is a body that goes on until it is closed.
type endless struct{}

func (*endless) Read(p []byte) (int, error) { return len(p), nil }

// An answer that comes before the body's end is passed on at once; the rest of
// the body is not wanted, and the connection is not used again.
func TestEarlyAnswer(t *testing.T) {
	for _, c := range []struct {
		name  string
		reads int  // bytes that the service reads of the body
		stays bool // it keeps the connection open
	}{{"and closes", 0, false}, {"and stays", 0, true}, {"in the middle, and closes", 1 << 20, false}, {"in the middle, and stays", 1 << 20, true}} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, " h2=", h2), func(t *testing.T) {
				over := make(chan struct{})
				defer close(over)
				b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
					if _, err := http.ReadRequest(r); err != nil {
						return
					}
					_, _ = io.CopyN(io.Discard, r, int64(c.reads))
					_, _ = io.WriteString(conn, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 7\r\n\r\ntoo big")
					if c.stays {
						<-over
					}
				})
				f := newFront(t, New(Route{Service: bind(t, service(b.address()))}), withTLS(h2))
				for range 3 {
					req, _ := http.NewRequest("POST", f.URL+"/", &endless{})
					resp, err := f.Client().Do(req)
					if err != nil {
						// The client may find its connection closed before it
						// reads the answer; what the gateway did counts.
						if o := f.last(t); o.Status != 413 || o.Upstream.Status != 413 {
							t.Fatalf("%v, %+v", err, o)
						}
						continue
					}
					body, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if resp.StatusCode != 413 || err == nil && string(body) != "too big" {
						t.Fatalf("%v, %q, %v", resp, body, err)
					}
					if o := f.last(t); o.Status != 413 {
						t.Fatalf("%+v", o)
					}
				}
				if n := b.accepted(); n != 3 {
					t.Errorf("%d connections for 3 requests", n)
				}
			})
		}
	}
}

// What a client still sends of a body that nobody wants any more is never read
// as a request: whoever shares the client's connection would get its answer.
func TestEarlyAnswerEndsConnection(t *testing.T) {
	b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
			_, _ = r.Peek(1 << 20) // the connection stays until the gateway closes it
		}
	})
	f := newFront(t, New(Route{Service: bind(t, service(b.address()))}))
	for _, framing := range []string{"Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n186a0\r\n"} {
		conn, err := net.Dial("tcp", f.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\n"+framing+strings.Repeat("x", 20_000))
		in := bufio.NewReader(conn)
		if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != 401 {
			t.Fatal(resp, err)
		}
		f.last(t)
		_, _ = io.WriteString(conn, "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
		rest, _ := io.ReadAll(in)
		if strings.Contains(string(rest), "HTTP/1.1") || len(f.outcomes) > 0 {
			t.Errorf("%q", rest)
		}
	}
}

// An answer may flow while the request still does.
func TestFullDuplex(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.EnableFullDuplex()
		_ = rc.Flush()
		buf := make([]byte, 100)
		for {
			n, err := r.Body.Read(buf)
			if n > 0 {
				_, _ = w.Write(bytes.ToUpper(buf[:n]))
				_ = rc.Flush()
			}
			if err != nil {
				return
			}
		}
	}))
	defer origin.Close()
	s := bind(t, service(strings.TrimPrefix(origin.URL, "http://")))
	for _, h2 := range []bool{false, true} {
		f := newFront(t, New(Route{Service: s}), withTLS(h2))
		pr, pw := io.Pipe()
		req, _ := http.NewRequest("POST", f.URL+"/", pr)
		resp, err := f.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(resp.Body)
		for i := range 20 {
			if i == 10 {
				time.Sleep(3 * slice) // so that somebody watches
			}
			_, _ = fmt.Fprintf(pw, "line %d\n", i)
			got, err := r.ReadString('\n')
			if want := fmt.Sprintf("LINE %d\n", i); err != nil || got != want {
				t.Fatalf("%q, %v; %+v", got, err, f.last(t))
			}
		}
		pw.Close()
		if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
			t.Errorf("%q, %v", rest, err)
		}
		resp.Body.Close()
		if o := f.last(t); o.Aborted || o.Status != 200 {
			t.Errorf("%+v", o)
		}
	}
	// A service that answers before it has the request may take the rest of the
	// body for another one.
	eventually(t, "a connection of an early answer is kept", func() bool { return openTo(s.set.Load().endpoints[0]) == 0 })
}

// A service that answers early and does not read the rest of the body as one
// gets no further request on that connection: what follows there would be
// what the client wrote into its body.
func TestEarlyAnswerThenRest(t *testing.T) {
	answered := make(chan struct{})
	b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if req.Method == "GET" {
				_, _ = io.WriteString(conn, okAnswer)
				continue
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n")
			_, _ = io.Copy(io.Discard, req.Body)
			_, _ = io.WriteString(conn, "0\r\n\r\n")
		}
	})
	s := bind(t, service(b.address()))
	f := newFront(t, New(Route{Service: s}))
	pr, pw := io.Pipe()
	go func() {
		<-answered
		_, _ = io.WriteString(pw, strings.Repeat("x", 100<<10))
		pw.Close()
	}()
	resp, err := http.Post(f.URL+"/", "", pr)
	if err != nil {
		t.Fatal(err)
	}
	close(answered)
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "early" {
		t.Errorf("%q, %v", body, err)
	}
	resp.Body.Close()
	f.last(t)
	if resp, _, err := get(t, f.URL+"/"); err != nil || resp.StatusCode != 200 || f.last(t).Upstream.Reused {
		t.Errorf("%v, %v: on the connection of an early answer", resp, err)
	}
}

// The answer's clock runs from the end of the request, not from its beginning.
func TestSlowUpload(t *testing.T) {
	b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		for request(r) != nil {
			_, _ = io.WriteString(conn, okAnswer)
		}
	})
	c := service(b.address())
	c.Timeouts.Answer = ms(300)
	f := newFront(t, New(Route{Service: bind(t, c)}))
	pr, pw := io.Pipe()
	go func() {
		for range 30 {
			_, _ = pw.Write([]byte("some"))
			time.Sleep(20 * time.Millisecond)
		}
		pw.Close()
	}()
	resp, err := http.Post(f.URL+"/", "", pr)
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err, f.last(t))
	}
	resp.Body.Close()
}

// A service that takes no more of a body does not hold the request for ever.
func TestStalledUpload(t *testing.T) {
	over := make(chan struct{})
	b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) { <-over })
	defer close(over)
	c := service(b.address())
	c.Timeouts.Answer, c.Timeouts.Idle = ms(100), ms(100)
	f := newFront(t, New(Route{Service: bind(t, c)}))
	req, _ := http.NewRequest("POST", f.URL+"/", &endless{})
	began := time.Now()
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
	}
	if o := f.last(t); o.Status != 504 || o.Reason != "answer-timeout" {
		t.Errorf("%+v", o)
	}
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("it took %v", d)
	}
}

// A client that breaks off its body breaks off the request to the service: it
// never sees a body that looks whole.
func TestCutUpload(t *testing.T) {
	for _, size := range []int{100, 100 << 10} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprint(size, " chunked=", chunked), func(t *testing.T) {
				whole := make(chan bool, 4)
				b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) { whole <- request(r) != nil })
				f := newFront(t, New(Route{Service: bind(t, service(b.address()))}))
				conn, err := net.Dial("tcp", f.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				body := strings.Repeat("x", size)
				if chunked {
					_, _ = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", size, body)
				} else {
					_, _ = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", 2*size, body)
				}
				conn.Close()
				o := f.last(t)
				if o.Upstream.Status != 0 || o.Upstream.Error == "" && o.Reason == "" {
					t.Errorf("%+v", o)
				}
				if o.Upstream.Attempts > 0 {
					select {
					case ok := <-whole:
						if ok {
							t.Error("the service got a request that looks whole")
						}
					case <-time.After(5 * time.Second):
						t.Error("the service's connection stays open")
					}
				}
			})
		}
	}
}

// A body over the route's limit that nobody declared is found on the way.
func TestBodyOverLimit(t *testing.T) {
	whole := make(chan bool, 4)
	b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) { whole <- request(r) != nil })
	h := New(Route{Service: bind(t, service(b.address()))})
	f := newFront(t, limited{h, 50 << 10})
	for _, chunked := range []bool{false, true} {
		var body io.Reader = strings.NewReader(strings.Repeat("x", 200<<10))
		if chunked {
			body = io.MultiReader(body)
		}
		resp, err := http.Post(f.URL+"/", "", body)
		if err == nil {
			resp.Body.Close()
		}
		o := f.last(t)
		if o.Status != 413 || o.Reason != "body-too-large" {
			t.Errorf("chunked %v: %v, %+v", chunked, err, o)
		}
		if chunked && <-whole {
			t.Error("the service got a request that looks whole")
		}
	}
}

// deadlines is either side of an upload whose other user sets a deadline anew
// in the moment in which end breaks it: only the second time counts.
type deadlines struct {
	net.Conn
	set  int
	done chan struct{}
}

func (d *deadlines) count() error {
	if d.set++; d.set == 2 {
		close(d.done)
	}
	return nil
}

func (d *deadlines) SetDeadline(time.Time) error      { return nil }
func (d *deadlines) SetReadDeadline(time.Time) error  { return d.count() }
func (d *deadlines) SetWriteDeadline(time.Time) error { return d.count() }

// Whoever reads or writes for an upload sets deadlines too: one that overwrites
// the end's must not keep the request.
func TestUploadEnds(t *testing.T) {
	for name, last := range map[string]bool{"in the middle": false, "at its last bytes": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &deadlines{done: make(chan struct{})}
				u := &upload{conn: &target.Conn{Conn: d}, done: d.done}
				u.last.Store(last)
				began := time.Now()
				w := struct {
					http.ResponseWriter
					*deadlines
				}{httptest.NewRecorder(), d}
				if _, cut := u.end(w); cut == last {
					t.Errorf("cut: %v", cut)
				}
				if took := time.Since(began); took > lastWords {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

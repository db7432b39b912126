package upstream

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"gatehouse/exchange"
)

// recorded is a backend that keeps the requests as they came.
func recorded(t testing.TB, answer string) (string, chan *http.Request) {
	got := make(chan *http.Request, 64)
	b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		for {
			req := request(r)
			if req == nil {
				return
			}
			got <- req
			_, _ = io.WriteString(conn, answer)
		}
	})
	return b.address(), got
}

func TestRequestFields(t *testing.T) {
	address, got := recorded(t, okAnswer)
	f := newFront(t, New(Route{Service: bind(t, service(address))}))
	req, _ := http.NewRequest("GET", f.URL+"/x?y=%20", nil)
	req.Header = http.Header{
		"X-Own":             {"1", "2"},
		"User-Agent":        {"me"},
		"Accept":            {"*/*"},
		"Connection":        {"keep-alive"},
		"Keep-Alive":        {"timeout=5"},
		"Proxy-Connection":  {"keep-alive"},
		"Te":                {"trailers, deflate"},
		"Upgrade":           {"h2c"},
		"Http2-Settings":    {"AAA"},
		"X-Forwarded-For":   {"192.0.2.1, 192.0.2.2"}, // as the edge leaves it
		"X-Forwarded-Proto": {"https"},
		"X-Forwarded-Host":  {"shop.test"},
	}
	req.Header.Set("Proxy-Authorization", "Basic eA==")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	want := http.Header{
		"X-Own":             {"1", "2"},
		"User-Agent":        {"me"},
		"Accept":            {"*/*"},
		"Accept-Encoding":   {"gzip"}, // the test's own client adds it
		"Te":                {"trailers"},
		"Connection":        {"Te"},
		"X-Forwarded-For":   {"192.0.2.1, 192.0.2.2"},
		"X-Forwarded-Proto": {"https"},
		"X-Forwarded-Host":  {"shop.test"},
	}
	r := <-got
	if !sameHeader(r.Header, want) || r.Host != address || r.RequestURI != "/x?y=%20" {
		t.Errorf("%s %s: %v", r.Host, r.RequestURI, r.Header)
	}
}

func sameHeader(a, b http.Header) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if !slices.Equal(v, b[k]) {
			return false
		}
	}
	return true
}

func TestHost(t *testing.T) {
	address, got := recorded(t, okAnswer)
	for host, want := range map[string]string{"target": address, "preserve": "client.test:81", "orders.internal": "orders.internal"} {
		c := service(address)
		c.Host = host
		f := newFront(t, New(Route{Service: bind(t, c)}))
		req, _ := http.NewRequest("GET", f.URL+"/", nil)
		req.Host = "client.test:81"
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if r := <-got; r.Host != want {
			t.Errorf("%s: %q, %v", host, r.Host, r.Header)
		}
	}
}

func TestHostOf(t *testing.T) {
	for _, c := range []struct {
		target, server string
		tls            bool
		want           string
	}{
		{"10.0.0.1:80", "", false, "10.0.0.1"},
		{"10.0.0.1:443", "", false, "10.0.0.1:443"},
		{"10.0.0.1:443", "", true, "10.0.0.1"},
		{"10.0.0.1:8443", "orders.internal", true, "orders.internal"},
		{"[::1]:80", "", false, "[::1]"},
		{"[::1]:81", "", false, "[::1]:81"},
		{"dns:orders.internal:80", "", false, "orders.internal"},
		{"srv:_http._tcp.orders.internal", "", false, "orders.internal"},
		{"srv:_http._tcp.orders.internal", "", true, "orders.internal"},
	} {
		cfg := service(c.target)
		if c.tls {
			cfg.TLS = &TLS{ServerName: c.server}
		}
		s := bind(t, cfg)
		if got := s.config.hostOf(s.groups[0]); got != c.want {
			t.Errorf("%s: %q, want %q", c.target, got, c.want)
		}
	}
}

func TestRewrite(t *testing.T) {
	address, got := recorded(t, okAnswer)
	rewrite := func(x *exchange.Exchange, b []byte) []byte {
		b = append(b, "/v1"...)
		return x.Path.AppendCanonical(b)
	}
	f := newFront(t, New(Route{Service: bind(t, service(address)), Rewrite: rewrite}))
	if _, _, err := get(t, f.URL+"/a%20b/%C3%A9?q=%2F"); err != nil {
		t.Fatal(err)
	}
	if r := <-got; r.RequestURI != "/v1/a%20b/%C3%A9?q=%2F" {
		t.Error(r.RequestURI)
	}
}

// Whatever a filter put into a field, it stays one field.
func TestNoInjection(t *testing.T) {
	address, got := recorded(t, okAnswer)
	h := New(Route{Service: bind(t, service(address))})
	f := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header["X-Set"] = []string{"a\r\nX-Evil: 1\r\n\r\nGET /evil HTTP/1.1\r\n"}
		r.Header["X-Bad\r\nX-Evil"] = []string{"1"}
		h.ServeHTTP(w, r)
	}))
	if _, _, err := get(t, f.URL+"/"); err != nil {
		t.Fatal(err)
	}
	r := <-got
	if r.Header.Get("X-Evil") != "" || !strings.HasPrefix(r.Header.Get("X-Set"), "a  X-Evil: 1") {
		t.Errorf("%v", r.Header)
	}
	if len(got) != 0 {
		t.Error("a second request was sent")
	}
}

func TestAnswerFields(t *testing.T) {
	address, _ := recorded(t, "HTTP/1.1 201 Made\r\nX-Own: 1\r\nx-own: 2\r\nSet-Cookie: a=b\r\nConnection: x-private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nContent-Length: 2\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n\r\nok")
	want := http.Header{"X-Own": {"1", "2"}, "Set-Cookie": {"a=b"}, "Content-Length": {"2"}, "Date": {"Mon, 02 Jan 2006 15:04:05 GMT"}}
	s := bind(t, service(address))
	for _, h2 := range []bool{false, true} {
		f := newFront(t, New(Route{Service: s}), withTLS(h2))
		resp, err := f.Client().Get(f.URL + "/")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 201 || string(body) != "ok" || !sameHeader(resp.Header, want) {
			t.Errorf("h2 %v: %v %q %v", h2, resp, body, err)
		}
	}
}

func TestTrailers(t *testing.T) {
	address, got := recorded(t, "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nX-Unannounced: 2\r\nSet-Cookie: a=b\r\nX-Forwarded-For: 1\r\n\r\n")
	s := bind(t, service(address))
	for _, h2 := range []bool{false, true} {
		f := newFront(t, New(Route{Service: s}), withTLS(h2))
		pr, pw := io.Pipe()
		req, _ := http.NewRequest("POST", f.URL+"/", pr)
		req.Header.Set("X-User", "alice")
		req.Trailer = http.Header{"X-Check": nil, "X-Forwarded-For": nil, "X_id": nil, "X-User": nil}
		go func() {
			_, _ = io.WriteString(pw, "body")
			req.Trailer["X-Check"] = []string{"sum"}
			req.Trailer["X-Forwarded-For"] = []string{"6.6.6.6"}
			req.Trailer["X_id"] = []string{"admin"}
			req.Trailer["X-User"] = []string{"admin"}
			pw.Close()
		}()
		resp, err := f.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != "ok" || !sameHeader(resp.Trailer, http.Header{"X-Sum": {"1"}, "X-Unannounced": {"2"}}) {
			t.Errorf("h2 %v: %q, %v, %v", h2, body, err, resp.Trailer)
		}
		if r := <-got; !sameHeader(r.Trailer, http.Header{"X-Check": {"sum"}}) {
			t.Errorf("h2 %v: the service got %v", h2, r.Trailer)
		}
	}
}

func TestEarlyHints(t *testing.T) {
	address, _ := recorded(t, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x-b\r\nX-B: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </c>\r\n\r\n"+okAnswer)
	f := newFront(t, New(Route{Service: bind(t, service(address))}))
	var hints []string
	req, _ := http.NewRequest("GET", f.URL+"/", nil)
	req = req.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		hints = append(hints, fmt.Sprint(code, h))
		return nil
	}}))
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != 200 || len(resp.Header["Link"]) != 0 {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	if want := []string{"103 map[Link:[</a>]]", "103 map[Link:[</c>]]"}; !slices.Equal(hints, want) {
		t.Errorf("%q", hints)
	}
}

// What a service streams is passed on while it streams.
func TestStreaming(t *testing.T) {
	for name, framing := range map[string]string{
		"events, until the end": "Content-Type: text/event-stream\r\n\r\n|data: 1\n\n|data: 2\n\n|",
		"chunks":                "Transfer-Encoding: chunked\r\n\r\n|9\r\ndata: 1\n\n\r\n|9\r\ndata: 2\n\n\r\n|0\r\n\r\n",
	} {
		for _, h2 := range []bool{false, true} {
			next := make(chan struct{})
			b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
				request(r)
				for part := range strings.SplitSeq("HTTP/1.1 200 OK\r\n"+framing, "|") {
					_, _ = io.WriteString(conn, part)
					<-next
				}
			})
			f := newFront(t, New(Route{Service: bind(t, service(b.address()))}), withTLS(h2))
			resp, err := f.Client().Get(f.URL + "/") // returns once the head is there
			if err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(resp.Body)
			for i := 1; i <= 2; i++ {
				next <- struct{}{}
				line, err := r.ReadString('\n')
				if want := fmt.Sprintf("data: %d\n", i); err != nil || line != want {
					t.Errorf("%s: %q, %v", name, line, err)
				}
				_, _ = r.ReadString('\n')
			}
			close(next)
			if rest, err := io.ReadAll(r); err != nil || len(rest) != 0 {
				t.Errorf("%s: %q, %v", name, rest, err)
			}
			resp.Body.Close()
		}
	}
}

// A small answer goes out by one write, whatever its framing.
func TestSmallAnswersAreNotFlushed(t *testing.T) {
	for _, answer := range []string{okAnswer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"} {
		address, _ := recorded(t, answer)
		h := New(Route{Service: bind(t, service(address))})
		flushes := 0
		x, r := exchange.Begin(&flushCounter{httptest.NewRecorder(), &flushes}, httptest.NewRequest("GET", "/", nil), &exchange.Conn{}, nil)
		_ = x.Path.Parse("/")
		h.ServeHTTP(&x.Writer, r)
		x.Finish()
		if flushes > 0 {
			t.Errorf("%d flushes", flushes)
		}
		x.Release()
	}
}

type flushCounter struct {
	*httptest.ResponseRecorder
	n *int
}

func (f *flushCounter) FlushError() error { *f.n++; return nil }

// A head that a filter holds back becomes a refusal where its body breaks off.
func TestHeldAnswerBreaksOff(t *testing.T) {
	b := newBackend(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		request(r)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
	})
	h := New(Route{Service: bind(t, service(b.address()))})
	f := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		exchange.From(r).OnHead(func(h *exchange.Head) {
			h.Hold(1<<10, func(_ *exchange.Head, body []byte, _ bool) []byte { return body })
		})
		h.ServeHTTP(w, r)
	}))
	resp, _, err := get(t, f.URL+"/")
	if err != nil || resp.StatusCode != 502 {
		t.Fatal(resp, err, f.last(t))
	}
}

func TestSplit(t *testing.T) {
	a, _ := recorded(t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")
	b, _ := recorded(t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb")
	f := newFront(t, Split([]Share{{New(Route{Service: bind(t, service(a))}), 9}, {New(Route{Service: bind(t, service(b))}), 1}}))
	count := map[string]int{}
	for range 50 {
		_, body, err := get(t, f.URL+"/")
		if err != nil {
			t.Fatal(err)
		}
		count[body]++
	}
	if count["a"] != 45 || count["b"] != 5 {
		t.Errorf("%v", count)
	}
}

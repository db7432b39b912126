package http1_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// seen is what a handler saw of a request.
type seen struct {
	Method, URI, Path, RawPath, Query, Host, Proto string
	Header                                         http.Header
	Length                                         int64
	Body                                           string
	Trailer                                        http.Header
	Close                                          bool
	Encoding                                       []string
}

// recording returns a handler that answers with a number and what it saw.
func recording(into *[]seen) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			body = []byte("error: " + err.Error())
		}
		*into = append(*into, seen{
			r.Method, r.RequestURI, r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.Host, r.Proto,
			r.Header.Clone(), r.ContentLength, string(body), r.Trailer.Clone(), r.Close, r.TransferEncoding,
		})
		fmt.Fprintf(w, "answer %d", len(*into))
	}
}

// Requests as handlers see them, several on one connection, sent in one piece.
func TestRequests(t *testing.T) {
	var got []seen
	e := start(t, settings(), recording(&got))
	all := e.send("GET /a%2Fb/c?x=%20&y HTTP/1.1\r\nHost: shop.test\r\nX-a: 1\r\nx-A:  2 \r\nEmpty:\r\n\r\n" +
		"POST /p HTTP/1.1\r\nHost: shop.test:80\r\nContent-Length: 5\r\n\r\nhello" +
		"PUT /q? HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\n" +
		"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n" +
		"GET http://Other.test/x HTTP/1.1\r\nHost: other.test\r\n\r\n" +
		"DELETE /%zz HTTP/1.1\r\nHost: h\r\nConnection: close, x\r\n\r\n" +
		"GET /never HTTP/1.1\r\nHost: h\r\n\r\n")
	answers(t, all, "GET", "POST", "PUT", "OPTIONS", "GET", "DELETE")
	want := []seen{
		{Method: "GET", URI: "/a%2Fb/c?x=%20&y", Path: "/a/b/c", RawPath: "/a%2Fb/c", Query: "x=%20&y", Host: "shop.test", Header: http.Header{"X-A": {"1", "2"}, "Empty": {""}}},
		{Method: "POST", URI: "/p", Path: "/p", Host: "shop.test:80", Header: http.Header{"Content-Length": {"5"}}, Length: 5, Body: "hello"},
		{Method: "PUT", URI: "/q?", Path: "/q", Host: "h", Header: http.Header{}, Length: -1, Body: "abcde", Trailer: http.Header{"X-Sum": {"7"}}, Encoding: []string{"chunked"}},
		{Method: "OPTIONS", URI: "*", Path: "*", Host: "h", Header: http.Header{}},
		{Method: "GET", URI: "http://Other.test/x", Path: "/x", Host: "Other.test", Header: http.Header{}},
		{Method: "DELETE", URI: "/%zz", Path: "/%zz", Host: "h", Header: http.Header{"Connection": {"close, x"}}, Close: true},
	}
	for i := range want {
		want[i].Proto = "HTTP/1.1"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	e.close()
	if e.contexts != 1 {
		t.Errorf("%d contexts for one connection", e.contexts)
	}
}

// Answers as they go out: handler, request, and the answer to the byte but for
// Date and the order of fields.
func TestAnswers(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	for name, tt := range map[string]struct {
		request string
		handler http.HandlerFunc
		want    string // fields sorted
	}{
		"nothing": {get, func(w http.ResponseWriter, r *http.Request) {}, "200 OK|Content-Length: 0||"},
		"small": {get, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "a"); io.WriteString(w, "b") },
			"200 OK|Content-Length: 2||ab"},
		"declared": {get, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "3")
			w.WriteHeader(418)
			io.WriteString(w, "abc")
		}, "418 I'm a teapot|Content-Length: 3||abc"},
		"flushed": {get, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "ab")
			w.(http.Flusher).Flush()
			io.WriteString(w, "c")
		}, "200 OK|Transfer-Encoding: chunked||2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"},
		"flushed before": {get, func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			io.WriteString(w, "c")
		}, "200 OK|Transfer-Encoding: chunked||1\r\nc\r\n0\r\n\r\n"},
		"large": {get, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, strings.Repeat("x", 5000)) },
			"200 OK|Transfer-Encoding: chunked||1388\r\n" + strings.Repeat("x", 5000) + "\r\n0\r\n\r\n"},
		"grown large": {get, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "abc")
			io.WriteString(w, strings.Repeat("x", 5000))
		}, "200 OK|Transfer-Encoding: chunked||3\r\nabc\r\n1388\r\n" + strings.Repeat("x", 5000) + "\r\n0\r\n\r\n"},
		"HEAD": {"HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "3")
			io.WriteString(w, "abc")
		}, "200 OK|Connection: close|Content-Length: 3||"},
		"204": {get, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "3")
			w.WriteHeader(204)
			if _, err := io.WriteString(w, "abc"); err != http.ErrBodyNotAllowed {
				panic(err)
			}
		}, "204 No Content||"},
		"304": {get, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "3")
			w.WriteHeader(304)
		}, "304 Not Modified|Content-Length: 3||"},
		"too much": {get, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "3")
			io.WriteString(w, "abc")
			if _, err := io.WriteString(w, "d"); err != http.ErrContentLength {
				panic(err)
			}
		}, "200 OK|Content-Length: 3||abc"},
		"closing": {get, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Connection", "x, Close") },
			"200 OK|Connection: close|Content-Length: 0||"},
		"framing of the handler's own": {get, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Transfer-Encoding", "gzip")
			w.Header().Set("Keep-Alive", "x")
			w.Header().Set("Content-Length", "+1")
			io.WriteString(w, "a")
		}, "200 OK|Content-Length: 1||a"},
		"line breaks": {get, func(w http.ResponseWriter, r *http.Request) {
			w.Header()["X-A"] = []string{"a\r\nb: c\x00"}
			w.Header()["X B"] = []string{"a"}
		}, "200 OK|Content-Length: 0|X-A: a  b: c ||"},
		"early hints": {get, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</a.css>")
			w.WriteHeader(103)
			w.Header().Del("Link")
		}, "103 Early Hints|Link: </a.css>||HTTP/1.1 200 OK|Content-Length: 0||"},
		"trailers": {get, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "x-sum, content-length")
			io.WriteString(w, "a")
			w.Header().Set("X-Sum", "1")
			w.Header().Set(http.TrailerPrefix+"X-More", "2")
			w.Header().Set(http.TrailerPrefix+"Set-Cookie", "2")
		}, "200 OK|Trailer: X-Sum|Transfer-Encoding: chunked||1\r\na\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n"},
		"HTTP/1.0": {"GET / HTTP/1.0\r\n\r\n", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "a")
			w.(http.Flusher).Flush()
			io.WriteString(w, "b")
		}, "200 OK|Connection: close||ab"},
		"HTTP/1.0 kept": {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "a") },
			"200 OK|Connection: keep-alive|Content-Length: 1||a"},
		"HTTP/1.0 without early hints": {"GET / HTTP/1.0\r\n\r\n", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(103) },
			"200 OK|Connection: close|Content-Length: 0||"},
		"a second status": {get, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(201); w.WriteHeader(500) },
			"201 Created|Content-Length: 0||"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, settings(), tt.handler)
			c := e.dial()
			io.WriteString(c, tt.request)
			c.(interface{ CloseWrite() error }).CloseWrite()
			all, _ := io.ReadAll(c)
			if got := readable(string(all)); got != "HTTP/1.1 "+tt.want {
				t.Errorf("\n got %q\nwant %q", got, "HTTP/1.1 "+tt.want)
			}
			e.close()
			if len(e.panics) > 0 {
				t.Error(e.panics)
			}
		})
	}
}

// readable sorts the fields of each head, joins them by bars, and drops Date.
func readable(text string) string {
	head, rest, ok := strings.Cut(text, "\r\n\r\n")
	if !ok {
		return text
	}
	lines := strings.Split(head, "\r\n")
	var fields []string
	for _, line := range lines[1:] {
		if !strings.HasPrefix(line, "Date: ") {
			fields = append(fields, line)
		}
	}
	for i := range fields {
		for j := range fields[:i] {
			if fields[i] < fields[j] {
				fields[i], fields[j] = fields[j], fields[i]
			}
		}
	}
	out := strings.Join(append(lines[:1], fields...), "|") + "||"
	if strings.HasPrefix(rest, "HTTP/1.1 ") {
		return out + readable(rest)
	}
	return out + rest
}

// A body that was announced longer than it came must not look complete.
func TestShortAnswerBreaksTheConnection(t *testing.T) {
	e := start(t, settings(), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "abc")
	})
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(e.send("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"))), nil)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(resp.Body); err != io.ErrUnexpectedEOF {
		t.Errorf("%q %v", all, err)
	}
}

func TestPanics(t *testing.T) {
	for name, tt := range map[string]struct {
		cause any
		told  int
	}{"a mistake": {"oops", 1}, "an abort": {http.ErrAbortHandler, 0}} {
		t.Run(name, func(t *testing.T) {
			e := start(t, settings(), func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, "half of it")
				panic(tt.cause)
			})
			if all := e.send("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"); all != "" {
				t.Errorf("%q", all)
			}
			e.close()
			if len(e.panics) != tt.told {
				t.Error(e.panics)
			}
		})
	}
}

// What a handler leaves of a body is read, up to a limit, so that the next
// request on the connection is the next request.
func TestUnreadBodies(t *testing.T) {
	chunk := "ffff\r\n" + strings.Repeat("x", 0xffff) + "\r\n"
	for name, tt := range map[string]struct {
		body  string
		kept  bool
		reads bool
	}{
		"small":         {"Content-Length: 5\r\n\r\nhello", true, false},
		"chunked":       {"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true, false},
		"large":         {"Content-Length: 300000\r\n\r\n" + strings.Repeat("x", 300000), false, false},
		"large, begun":  {"Content-Length: 300000\r\n\r\n" + strings.Repeat("x", 300000), true, true},
		"large chunked": {"Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat(chunk, 10) + "0\r\n\r\n", false, false},
		"broken chunks": {"Transfer-Encoding: chunked\r\n\r\nzz\r\n", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, settings(), func(w http.ResponseWriter, r *http.Request) {
				if tt.reads && r.Method == "POST" {
					io.CopyN(io.Discard, r.Body, 100_000)
				}
				io.WriteString(w, r.Method)
			})
			all := e.send("POST / HTTP/1.1\r\nHost: h\r\n" + tt.body + "PUT / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			methods := []string{"POST"}
			if tt.kept {
				methods = append(methods, "PUT")
			}
			for i, resp := range answers(t, all, methods...) {
				if got := bodyOf(resp); got != methods[i] {
					t.Errorf("%q", got)
				}
			}
		})
	}
}

// 100 Continue goes out with the first read of the body, and not at all where
// nobody reads it.
func TestExpect(t *testing.T) {
	read := make(chan bool, 1)
	e := start(t, settings(), func(w http.ResponseWriter, r *http.Request) {
		if !<-read {
			io.WriteString(w, "no")
			return
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "got %s", body)
	})
	const request = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n"

	c := e.dial()
	r := bufio.NewReader(c)
	io.WriteString(c, request)
	read <- true
	line, _ := r.ReadString('\n')
	if line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q", line)
	}
	r.ReadString('\n')
	io.WriteString(c, "hello")
	resp, err := http.ReadResponse(r, nil)
	if err != nil || bodyOf(resp) != "got hello" || resp.Close {
		t.Errorf("%v %v", resp, err)
	}

	io.WriteString(c, request)
	read <- false
	resp, err = http.ReadResponse(r, nil)
	if err != nil || bodyOf(resp) != "no" || !resp.Close {
		t.Errorf("%v %v", resp, err)
	}
}

// The answer goes out while the body still comes.
func TestFullDuplex(t *testing.T) {
	e := start(t, settings(), func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 10)
		for {
			n, err := r.Body.Read(buf)
			if n > 0 {
				w.Write(buf[:n])
				w.(http.Flusher).Flush()
			}
			if err != nil {
				return
			}
		}
	})
	c := e.dial()
	r := bufio.NewReader(c)
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
	io.WriteString(c, "3\r\nabc\r\n")
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{"abc", "defg", "h"} {
		buf := make([]byte, len(piece))
		if _, err := io.ReadFull(resp.Body, buf); err != nil || string(buf) != piece {
			t.Fatalf("%q %v", buf, err)
		}
		switch piece {
		case "abc":
			io.WriteString(c, "4\r\ndefg\r\n")
		case "defg":
			io.WriteString(c, "1\r\nh\r\n0\r\n\r\n")
		}
	}
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
		t.Errorf("%q %v", rest, err)
	}
}

func TestHijack(t *testing.T) {
	done := make(chan error, 1)
	e := start(t, settings(), func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			done <- err
			return
		}
		defer c.Close()
		if n := rw.Reader.Buffered(); n != 5 {
			done <- fmt.Errorf("%d bytes buffered", n)
			return
		}
		line, err := rw.ReadString('\n')
		if err == nil {
			_, err = fmt.Fprintf(c, "heard %s", line)
		}
		if _, werr := w.Write(nil); werr != http.ErrHijacked {
			err = fmt.Errorf("write: %v", werr)
		}
		done <- err
	})
	if all := e.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: ping\r\n\r\nping\n"); all != "heard ping\n" {
		t.Errorf("%q", all)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	e.close()
	if e.hijacked != 1 {
		t.Error(e.hijacked)
	}
}

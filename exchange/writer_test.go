package exchange_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"gatehouse/exchange"
)

// answer runs a handler over a recorder and returns what was recorded.
func answer(t *testing.T, method string, handler func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request)) (*httptest.ResponseRecorder, *exchange.Exchange) {
	t.Helper()
	rec := httptest.NewRecorder()
	x, r := exchange.Begin(rec, httptest.NewRequest(method, "/", nil), testConn, nil)
	handler(x, &x.Writer, r)
	x.Finish()
	return rec, x
}

// upper is a body filter that notes what is asked of it.
type upper struct {
	name string
	log  *[]string
	next io.Writer
	fail error
}

func (u upper) Write(p []byte) (int, error) {
	if _, err := fmt.Fprintf(u.next, "%s(%s)", u.name, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (u upper) note(what string) { *u.log = append(*u.log, u.name+" "+what) }

func (u upper) Flush() error { u.note("flush"); return nil }
func (u upper) Abort()       { u.note("abort") }
func (u upper) Close() error {
	u.note("close")
	if u.fail == nil {
		_, _ = io.WriteString(u.next, u.name+"!")
	}
	return u.fail
}

func filter(name string, log *[]string, fail error) func(*exchange.Head) {
	return func(h *exchange.Head) {
		*log = append(*log, name+" head")
		h.Filter(func(next io.Writer) exchange.BodyFilter { return upper{name, log, next, fail} })
	}
}

func TestWriterPlain(t *testing.T) {
	rec, x := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		if x.Writer.Begun() || x.Writer.Status() != 0 {
			t.Error("begun before it began")
		}
		w.Header().Set("X-A", "1")
		w.WriteHeader(201)
		w.WriteHeader(500) // ignored
		_, _ = io.WriteString(w, "one ")
		_, _ = w.Write([]byte("two "))
		_, _ = io.Copy(w, io.MultiReader(strings.NewReader("three")))
	})
	if rec.Code != 201 || rec.Body.String() != "one two three" || rec.Header().Get("X-A") != "1" {
		t.Errorf("%d %q %v", rec.Code, rec.Body, rec.Header())
	}
	if x.Writer.Status() != 201 || x.Writer.Bytes() != 13 || !x.Writer.Begun() {
		t.Errorf("status %d, %d bytes", x.Writer.Status(), x.Writer.Bytes())
	}
	if _, err := x.Writer.Write([]byte("late")); err == nil {
		t.Error("a write after the end")
	}
	if err := x.Writer.FlushError(); err == nil {
		t.Error("a flush after the end")
	}
	if _, err := x.Writer.WriteString("late"); err == nil {
		t.Error("a write after the end")
	}
	if _, err := x.Writer.ReadFrom(strings.NewReader("late")); err == nil {
		t.Error("a write after the end")
	}
	rec, x = answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {})
	if rec.Code != 200 || x.Writer.Status() != 200 || rec.Body.Len() != 0 {
		t.Errorf("untouched: %d %q", rec.Code, rec.Body)
	}
}

func TestWriterHooks(t *testing.T) {
	var log []string
	rec, _ := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		x.OnHead(func(h *exchange.Head) {
			log = append(log, "outer")
			if h.Header.Get("X-Inner") != "1" || h.Status != 202 || h.Exchange != x {
				t.Errorf("the outer hook sees %d %v", h.Status, h.Header)
			}
			h.Header.Set("X-Outer", "1")
		})
		x.OnHead(func(h *exchange.Head) {
			log = append(log, "inner")
			if h.Status != 200 || !h.HasBody() {
				t.Errorf("the inner hook sees %d", h.Status)
			}
			h.Status = 202
			h.Header.Set("X-Inner", "1")
		})
		_, _ = io.WriteString(w, "body")
	})
	if rec.Code != 202 || rec.Header().Get("X-Outer") != "1" || !slices.Equal(log, []string{"inner", "outer"}) {
		t.Errorf("%d %v %v", rec.Code, rec.Header(), log)
	}
}

func TestWriterFilters(t *testing.T) {
	var log []string
	rec, x := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		x.OnHead(filter("out", &log, nil))
		x.OnHead(filter("in", &log, nil))
		w.Header().Set("Content-Length", "3")
		w.Header().Set("Accept-Ranges", "bytes")
		_, _ = io.WriteString(w, "a")
		_, _ = w.Write([]byte("b"))
		w.(http.Flusher).Flush()
		_, _ = x.Writer.ReadFrom(strings.NewReader("c"))
	})
	if got, want := rec.Body.String(), "out(in(a))out(in(b))out(in(c))out(in!)out!"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	if want := []string{"in head", "out head", "in flush", "out flush", "in close", "out close"}; !slices.Equal(log, want) {
		t.Errorf("%v", log)
	}
	if len(rec.Header()["Content-Length"])+len(rec.Header()["Accept-Ranges"]) != 0 || !rec.Flushed {
		t.Errorf("%v, flushed %v", rec.Header(), rec.Flushed)
	}
	if x.Writer.Bytes() != int64(rec.Body.Len()) {
		t.Errorf("%d bytes", x.Writer.Bytes())
	}
}

// Each filter is ended once: by Close, or by Abort where one before it failed
// or the answer was given up.
func TestWriterFiltersEnd(t *testing.T) {
	var log []string
	_, x := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		x.OnHead(filter("c", &log, nil))
		x.OnHead(filter("b", &log, errors.New("broken")))
		x.OnHead(filter("a", &log, nil))
		w.WriteHeader(200)
		log = log[:0]
	})
	x.Abort()
	if want := []string{"a close", "b close", "c abort"}; !slices.Equal(log, want) || !x.Aborted {
		t.Errorf("%v, aborted %v", log, x.Aborted)
	}
	log = nil
	x, _ = exchange.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), testConn, nil)
	x.OnHead(filter("b", &log, nil))
	x.OnHead(filter("a", &log, nil))
	_, _ = io.WriteString(&x.Writer, "begun")
	log = log[:0]
	x.Abort()
	x.Finish()
	if want := []string{"a abort", "b abort"}; !slices.Equal(log, want) || !x.Aborted {
		t.Errorf("%v, aborted %v", log, x.Aborted)
	}
}

// Answers without a body: hooks see them, filters are not made, what the
// target writes all the same goes nowhere.
func TestWriterNoBody(t *testing.T) {
	for _, test := range []struct {
		method string
		status int
		length string // Content-Length as sent
	}{{"HEAD", 200, "5"}, {"GET", 304, "5"}, {"GET", 204, ""}} {
		var held bool
		rec, x := answer(t, test.method, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			x.OnHead(func(h *exchange.Head) {
				if h.HasBody() {
					t.Error("it has a body")
				}
				h.Hold(10, func(h *exchange.Head, body []byte, complete bool) []byte {
					held = len(body) == 0 && complete
					return []byte("never sent")
				})
			})
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(test.status)
			if n, err := io.WriteString(w, "12345"); n != 5 || err != nil {
				t.Errorf("%s %d: write: %d, %v", test.method, test.status, n, err)
			}
			if n, err := x.Writer.ReadFrom(strings.NewReader("12345")); n != 5 || err != nil {
				t.Errorf("%s %d: read from: %d, %v", test.method, test.status, n, err)
			}
			w.(http.Flusher).Flush()
		})
		if rec.Body.Len() != 0 || x.Writer.Bytes() != 0 || !held || rec.Header().Get("Content-Length") != test.length || !rec.Flushed {
			t.Errorf("%s %d: %q, %d bytes, held %v, %v", test.method, test.status, rec.Body, x.Writer.Bytes(), held, rec.Header())
		}
		var log []string
		rec, _ = answer(t, test.method, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			x.OnHead(filter("f", &log, nil))
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, "12345")
		})
		if rec.Body.Len() != 0 || len(log) != 1 || len(rec.Header()["Content-Length"]) > 0 {
			t.Errorf("%s %d filtered: %q %v %v", test.method, test.status, rec.Body, log, rec.Header())
		}
	}
}

func TestWriterOverServer(t *testing.T) {
	file := strings.Repeat("0123456789", 10_000)
	addr := serve(t, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hints":
			ran := false
			x.OnHead(func(*exchange.Head) { ran = true })
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
			if ran || x.Writer.Begun() {
				t.Error("an informational answer was taken for the final one")
			}
			_, _ = io.WriteString(w, "done")
		case "/file":
			n, err := io.Copy(w, io.LimitReader(strings.NewReader(file), int64(len(file))))
			if n != int64(len(file)) || err != nil || x.Writer.Bytes() != n {
				t.Errorf("copied %d, %v", n, err)
			}
		case "/controlled":
			rc := http.NewResponseController(w)
			if err := errors.Join(rc.SetReadDeadline(x.Start.Add(1<<40)), rc.EnableFullDuplex(), rc.Flush()); err != nil {
				t.Error(err)
			}
		case "/broken":
			x.OnHead(func(h *exchange.Head) {
				h.Filter(func(next io.Writer) exchange.BodyFilter { return upper{"f", new([]string), next, errors.New("broken")} })
			})
			_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
		}
	})
	get := func(path string) (*http.Response, string, error) {
		res, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return res, string(body), err
	}
	_, in := talk(t, addr, "GET /hints HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
	if got, _ := io.ReadAll(in); !strings.HasPrefix(string(got), "HTTP/1.1 103 Early Hints\r\nLink: ") || !strings.Contains(string(got), "\r\n\r\nHTTP/1.1 200 OK\r\n") || !strings.HasSuffix(string(got), "done") {
		t.Errorf("%q", got)
	}
	if _, body, _ := get("/file"); body != file {
		t.Errorf("%d bytes", len(body))
	}
	if res, _, _ := get("/controlled"); res.StatusCode != 200 {
		t.Errorf("%d", res.StatusCode)
	}
	if _, body, err := get("/broken"); err == nil {
		t.Errorf("an incomplete answer came as a complete one of %d bytes", len(body))
	}
}

func TestWriterHijack(t *testing.T) {
	released := make(chan *exchange.Exchange, 1)
	addr := serve(t, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		x.OnHead(func(*exchange.Head) { t.Error("a hook ran for a hijacked connection") })
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n\r\nhello")
		_ = rw.Flush()
		c.Close()
		if x.Writer.Status() != 101 || !x.Writer.Begun() {
			t.Errorf("status %d", x.Writer.Status())
		}
		if _, _, err := x.Writer.Hijack(); err == nil {
			t.Error("a second hijack")
		}
		released <- x
	})
	_, in := talk(t, addr, "GET / HTTP/1.1\r\nHost: t\r\n\r\n")
	if got, _ := io.ReadAll(in); !strings.HasSuffix(string(got), "\r\n\r\nhello") {
		t.Errorf("%q", got)
	}
	if x := <-released; x.ID == "" {
		t.Error("an Exchange that is kept was emptied")
	}
	_, x := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		if _, _, err := x.Writer.Hijack(); err == nil {
			t.Error("a recorder was hijacked")
		}
	})
	if x.Writer.Status() != 200 {
		t.Errorf("after a hijack that failed: %d", x.Writer.Status())
	}
}

// Nobody guesses what an answer is: a target that leaves its type open may rely
// on the client's doing so too.
func TestWriterGuessesNothing(t *testing.T) {
	addr := serve(t, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		if kind := r.Header.Get("X-Type"); kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = io.WriteString(w, "<html><script>")
	})
	for _, kind := range []string{"", "text/x-own"} {
		r, _ := http.NewRequest("GET", "http://"+addr, nil)
		if kind != "" {
			r.Header.Set("X-Type", kind)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := strings.Join(res.Header["Content-Type"], ","); got != kind {
			t.Errorf("%q, want %q", got, kind)
		}
	}
}

package exchange_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"gatehouse/exchange"
)

func TestWriterHold(t *testing.T) {
	hold := func(limit int, then func(h *exchange.Head, body []byte, complete bool) []byte) func(*exchange.Head) {
		return func(h *exchange.Head) { h.Hold(limit, then) }
	}
	t.Run("whole", func(t *testing.T) {
		var log []string
		rec, x := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			x.OnHead(func(h *exchange.Head) { log = append(log, fmt.Sprint("outer ", h.Status)) })
			x.OnHead(hold(100, func(h *exchange.Head, body []byte, complete bool) []byte {
				log = append(log, fmt.Sprintf("then %s %v", body, complete))
				h.Status = 203
				return bytes.ToUpper(body)
			}))
			x.OnHead(filter("in", &log, nil))
			w.Header().Set("Content-Length", "2")
			_, _ = io.WriteString(w, "ab")
			w.(http.Flusher).Flush()
			if x.Writer.Status() != 0 || x.Writer.Bytes() != 0 {
				t.Error("the held answer was sent")
			}
		})
		if rec.Code != 203 || rec.Body.String() != "IN(AB)IN!" || rec.Header().Get("Content-Length") != "9" || x.Writer.Bytes() != 9 {
			t.Errorf("%d %q %v", rec.Code, rec.Body, rec.Header())
		}
		if want := []string{"in head", "in flush", "in close", "then in(ab)in! true", "outer 203"}; !slices.Equal(log, want) {
			t.Errorf("%v", log)
		}
	})
	t.Run("overflow", func(t *testing.T) {
		rec, _ := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			x.OnHead(hold(3, func(h *exchange.Head, body []byte, complete bool) []byte {
				if string(body) != "abcd" || complete {
					t.Errorf("%q %v", body, complete)
				}
				return body
			}))
			w.Header().Set("Content-Length", "6")
			_, _ = io.WriteString(w, "ab")
			_, _ = io.WriteString(w, "cd")
			_, _ = io.WriteString(w, "ef")
			w.(http.Flusher).Flush()
		})
		if rec.Body.String() != "abcdef" || rec.Header().Get("Content-Length") != "6" || !rec.Flushed {
			t.Errorf("%q %v", rec.Body, rec.Header())
		}
	})
	t.Run("overflow changed", func(t *testing.T) {
		rec, _ := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			x.OnHead(hold(1, func(h *exchange.Head, body []byte, complete bool) []byte { return []byte("x") }))
			w.Header().Set("Content-Length", "4")
			_, _ = io.WriteString(w, "ab")
			_, _ = io.WriteString(w, "cd")
		})
		if rec.Body.String() != "xcd" || len(rec.Header()["Content-Length"]) > 0 {
			t.Errorf("%q %v", rec.Body, rec.Header())
		}
	})
	t.Run("nested", func(t *testing.T) {
		var log []string
		rec, _ := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			then := func(name string) func(*exchange.Head, []byte, bool) []byte {
				return func(h *exchange.Head, body []byte, complete bool) []byte {
					log = append(log, fmt.Sprint(name, " ", string(body), " ", complete))
					return append([]byte(name), body...)
				}
			}
			x.OnHead(filter("f", &log, nil))
			x.OnHead(hold(5, then("2")))
			x.OnHead(hold(100, then("1")))
			_, _ = io.WriteString(w, "abc")
			_, _ = io.WriteString(w, "def")
		})
		// The second hold overflows by what the first one releases in one piece.
		if rec.Body.String() != "f(21abcdef)f!" || !slices.Equal(log, []string{"1 abcdef true", "2 1abcdef false", "f head", "f close"}) {
			t.Errorf("%q %v", rec.Body, log)
		}
	})
	t.Run("emptied", func(t *testing.T) {
		rec, _ := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			x.OnHead(hold(100, func(h *exchange.Head, body []byte, complete bool) []byte {
				h.Status = 204
				return body
			}))
			w.Header().Set("Content-Length", "2")
			_, _ = io.WriteString(w, "ab")
		})
		if rec.Code != 204 || rec.Body.Len() != 0 || len(rec.Header()["Content-Length"]) > 0 {
			t.Errorf("%d %q %v", rec.Code, rec.Body, rec.Header())
		}
	})
	t.Run("trailers keep their frame", func(t *testing.T) {
		rec, _ := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			x.OnHead(hold(100, func(h *exchange.Head, body []byte, complete bool) []byte { return body }))
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.WriteString(w, "ab")
		})
		if rec.Body.String() != "ab" || len(rec.Header()["Content-Length"]) > 0 {
			t.Errorf("%q %v", rec.Body, rec.Header())
		}
	})
	t.Run("then adds a filter", func(t *testing.T) {
		for limit, want := range map[int]string{100: "in(abcd)in!", 3: "in(abcd)in(ef)in!"} {
			var log []string
			rec, _ := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
				x.OnHead(func(h *exchange.Head) { log = append(log, "outer") })
				x.OnHead(hold(limit, func(h *exchange.Head, body []byte, complete bool) []byte {
					filter("in", &log, nil)(h)
					return body
				}))
				w.Header().Set("Content-Length", "6")
				_, _ = io.WriteString(w, "abcd")
				if limit == 3 {
					_, _ = io.WriteString(w, "ef")
				}
			})
			if strings.ToLower(rec.Body.String()) != want || len(rec.Header()["Content-Length"]) > 0 {
				t.Errorf("limit %d: %q %v", limit, rec.Body, rec.Header())
			}
			if want := []string{"in head", "outer", "in close"}; !slices.Equal(log, want) {
				t.Errorf("limit %d: %v", limit, log)
			}
		}
	})
	t.Run("a look yields to a flush", func(t *testing.T) {
		for name, test := range map[string]struct {
			writes []string // "|" flushes
			want   string
		}{
			"before anything": {[]string{"|", "ab", "|"}, `"" false`},
			"in between":      {[]string{"ab", "|", "cd"}, `"ab" false`},
			"too much":        {[]string{"abcdef", "|"}, `"abcdef" false`},
			"at the end":      {[]string{"ab", "c"}, `"abc" true`},
		} {
			var seen []string
			rec, x := answer(t, "GET", func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
				x.OnHead(func(h *exchange.Head) {
					h.Look(5, func(h *exchange.Head, body []byte, complete bool) []byte {
						seen = append(seen, fmt.Sprintf("%q %v", body, complete))
						return body
					})
				})
				for _, p := range test.writes {
					if p != "|" {
						_, _ = io.WriteString(w, p)
						continue
					}
					w.(http.Flusher).Flush()
					if x.Writer.Status() == 0 {
						t.Errorf("%s: the head was held back over a flush", name)
					}
				}
			})
			want := strings.ReplaceAll(strings.Join(test.writes, ""), "|", "")
			if !slices.Equal(seen, []string{test.want}) || rec.Body.String() != want || x.Writer.Bytes() != int64(len(want)) {
				t.Errorf("%s: %v, %q", name, seen, rec.Body)
			}
			if flushed := slices.Contains(test.writes, "|"); rec.Flushed != flushed {
				t.Errorf("%s: flushed %v", name, rec.Flushed)
			}
		}
	})
	t.Run("aborted", func(t *testing.T) {
		x, _ := exchange.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), testConn, nil)
		x.OnHead(hold(100, func(*exchange.Head, []byte, bool) []byte { t.Error("then was called"); return nil }))
		_, _ = io.WriteString(&x.Writer, "ab")
		x.Abort()
		if x.Writer.Status() != 0 {
			t.Error("the head was sent")
		}
	})
	t.Run("budget", func(t *testing.T) {
		budget := exchange.NewBudget(3)
		rec := httptest.NewRecorder()
		x, _ := exchange.Begin(rec, httptest.NewRequest("GET", "/", nil), testConn, budget)
		x.OnHead(hold(100, func(h *exchange.Head, body []byte, complete bool) []byte {
			if string(body) != "abcd" || complete {
				t.Errorf("%q %v", body, complete)
			}
			return body
		}))
		_, _ = io.WriteString(&x.Writer, "ab")
		if budget.Used() != 2 {
			t.Errorf("%d of the budget", budget.Used())
		}
		_, _ = io.WriteString(&x.Writer, "cd")
		x.Finish()
		if rec.Body.String() != "abcd" || budget.Used() != 0 {
			t.Errorf("%q, %d of the budget", rec.Body, budget.Used())
		}
	})
}

package exchange_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/exchange"
)

// What a hook denies goes out as a refusal, whatever the target writes, and however
// much of it was held.
func TestDeny(t *testing.T) {
	rule := &exchange.Rule{Filter: "test", Name: "no"}
	refusal := exchange.Refusal{Status: 403, Rule: rule, Reason: "test", Detail: "found it"}
	for _, test := range []struct {
		name  string
		limit int // of the hold; 0 for none, -1 for none wanted
		body  string
		deny  bool
	}{
		{"at the head", 0, "secret", true},
		{"a held body", 100, "secret", true},
		{"the beginning of a body", 10, strings.Repeat("secret", 1000), true},
		{"an empty body", 100, "", true},
		{"let pass", 100, "fine", false},
	} {
		addr := serve(t, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			x.OnHead(func(h *exchange.Head) {
				if test.limit == 0 {
					h.Deny(r, refusal)
					return
				}
				h.Hold(test.limit, func(h *exchange.Head, body []byte, _ bool) []byte {
					if !test.deny {
						return body
					}
					h.Deny(r, refusal)
					return nil
				})
			})
			w.Header().Set("Server", "secret")
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Length", fmt.Sprint(len(test.body)))
			w.WriteHeader(http.StatusOK)
			_, _ = io.WriteString(w, test.body)
			if steps := x.Trail.Steps(); test.deny && (x.Refused == nil || x.Refused.Reason != "test" || len(steps) != 1 || steps[0].Decision != exchange.Denied) && test.limit <= len(test.body) && test.limit > 0 {
				t.Errorf("%s: %+v, %+v", test.name, x.Refused, steps)
			}
		})
		_, in := talk(t, addr, "GET / HTTP/1.1\r\nHost: t\r\n\r\n")
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		want, status := `{"message":"Forbidden"}`, 403
		if !test.deny {
			want, status = test.body, 200
		}
		if string(got) != want || res.StatusCode != status || err != nil {
			t.Errorf("%s: %d %q %v", test.name, res.StatusCode, got, err)
		}
		if test.deny && (res.Header.Get("Server") != "" || res.Header.Get("X-Amzn-Errortype") != "ForbiddenException" || res.Header.Get("Content-Type") != "application/json") {
			t.Errorf("%s: %v", test.name, res.Header)
		}
	}
}

// Answers without a body have none when they are denied, and gRPC its own form.
func TestDenyForms(t *testing.T) {
	for _, test := range []struct {
		name, method, kind string
		status             int
		body, grpc         string
	}{
		{"HEAD", "HEAD", "", 403, "", ""},
		{"GET", "GET", "", 403, `{"message":"Forbidden"}`, ""},
		{"gRPC", "POST", "application/grpc", 200, "", "7"},
	} {
		rec := httptest.NewRecorder()
		r := httptest.NewRequest(test.method, "/", nil)
		r.Header.Set("Content-Type", test.kind)
		x, r := exchange.Begin(rec, r, testConn, nil)
		x.OnHead(func(h *exchange.Head) { h.Deny(r, exchange.Refusal{Status: 403, Rule: &exchange.Rule{}}) })
		_, _ = io.Copy(&x.Writer, bufio.NewReader(strings.NewReader("secret")))
		x.Finish()
		if rec.Code != test.status || rec.Body.String() != test.body || rec.Header().Get("Grpc-Status") != test.grpc {
			t.Errorf("%s: %d %q %v", test.name, rec.Code, rec.Body, rec.Header())
		}
		x.Release()
	}
}

// Package answer holds the targets that are answered by the gateway itself and
// are no refusals: mocks and redirects.
package answer

import (
	"net/http"
	"strconv"
	"strings"

	"gatehouse/exchange"
)

// Mock returns a target that reads the request no further and answers with
// status and an empty JSON object, or with no body where the status has none.
func Mock(rule *exchange.Rule, status int) http.Handler {
	body := []byte("{}")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		exchange.From(r).Trail.Add(rule, exchange.Answered, "")
		if status == http.StatusNoContent || status == http.StatusNotModified {
			w.WriteHeader(status)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
}

// Redirect returns a target that sends the client to a URL: with 302 for GET
// and HEAD, and with 307 for others, which keeps method and body (RFC 9110
// sections 15.4.3 and 15.4.8). A URL that ends in "/*" keeps the rest of the
// request's path and its query. Nothing that the client sends chooses scheme
// or host.
func Redirect(rule *exchange.Rule, to string) http.Handler {
	base, keep := strings.CutSuffix(to, "/*")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchange.From(r)
		x.Trail.Add(rule, exchange.Answered, "")
		location := to
		if keep {
			location = keepPath(base, x)
		}
		status := http.StatusTemporaryRedirect
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			status = http.StatusFound
		}
		w.Header().Set("Location", location)
		w.WriteHeader(status)
	})
}

func keepPath(base string, x *exchange.Exchange) string {
	location := base + x.Path.Canonical()
	if x.Path.Query != "" {
		location += "?" + x.Path.Query
	}
	return location
}

// Package answer holds the targets that are answered by the gateway itself and
// are no refusals: mocks and redirects.
package answer

import (
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"gatehouse/exchange"
)

// Mocked is the answer of a mock.
type Mocked struct {
	Status int
	Header map[string]string // with the type of the body, where that is to have one
	Body   string            // not sent where the status has none
}

// Empty returns the answer of a mock that says nothing but a status: an empty
// JSON object.
func Empty(status int) Mocked {
	return Mocked{Status: status, Header: map[string]string{"Content-Type": "application/json"}, Body: "{}"}
}

// Mock returns a target that reads the request no further and answers the same
// each time.
func Mock(rule *exchange.Rule, m Mocked) http.Handler {
	body := []byte(m.Body)
	header := make(http.Header)
	for name, value := range m.Header {
		header[textproto.CanonicalMIMEHeaderKey(name)] = []string{value}
	}
	bodiless := m.Status == http.StatusNoContent || m.Status == http.StatusNotModified
	if bodiless {
		header.Del("Content-Type")
	} else {
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		exchange.From(r).Trail.Add(rule, exchange.Answered, "")
		h := w.Header()
		for name, values := range header {
			h[name] = slices.Clip(values) // hooks may append
		}
		w.WriteHeader(m.Status)
		if !bodiless {
			_, _ = w.Write(body)
		}
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

package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// seen is what an echo backend saw of a request; it answers with it.
type seen struct {
	Backend string              `json:"backend"`
	Method  string              `json:"method"`
	URI     string              `json:"uri"`
	Host    string              `json:"host"`
	Header  map[string][]string `json:"header"`
	Body    string              `json:"body,omitempty"`
	Trailer map[string][]string `json:"trailer,omitempty"`
}

// newBackend starts a service that answers with what it saw. Paths below
// /behave/ ask for something else:
//
//	/behave/status/503   that status
//	/behave/slow/200ms   the answer after that time
//	/behave/header/N/V   a header of the answer
//	/behave/large/100000 so many bytes
//	/behave/die          the connection closes without an answer
//	/behave/cut          the connection closes within the body
func newBackend(t *testing.T, name string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, "/behave/"); ok && behave(w, r, rest) {
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Server", "backend")
		_ = json.NewEncoder(w).Encode(seen{name, r.Method, r.RequestURI, r.Host, r.Header, string(body), r.Trailer})
	}))
	t.Cleanup(s.Close)
	return s
}

// overHTTP2 serves a backend by HTTP/2 without TLS.
func overHTTP2(t *testing.T, backend *httptest.Server) *httptest.Server {
	s := httptest.NewUnstartedServer(backend.Config.Handler)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// behave reports whether it has answered.
func behave(w http.ResponseWriter, r *http.Request, rest string) bool {
	what, arg, _ := strings.Cut(rest, "/")
	switch what {
	case "status":
		n, _ := strconv.Atoi(arg)
		w.WriteHeader(n)
		return true
	case "slow":
		d, _ := time.ParseDuration(arg)
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
		return false
	case "header":
		name, value, _ := strings.Cut(arg, "/")
		w.Header().Set(name, value)
		return false
	case "large":
		n, _ := strconv.Atoi(arg)
		w.Header().Set("Content-Length", arg)
		_, _ = io.WriteString(w, strings.Repeat("x", n))
		return true
	case "die":
		panic(http.ErrAbortHandler)
	case "cut":
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "not all of it")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	return false
}

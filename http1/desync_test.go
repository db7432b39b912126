package http1_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goccy/go-yaml"
)

// desyncCase is one request of http-desync-guardian's test suite.
type desyncCase struct {
	Name, URI, Method, Version string
	Headers                    []struct{ Name, Value any }
	Expected                   struct{ Tier, Reason string }
}

// stricter are the requests that the suite holds for harmless and that are
// refused here; docs/decisions/0006-stricter-http.md says why.
var stricter = map[string]bool{
	// A transfer coding other than chunked alone.
	"Transfer-Encoding: identity and chunked OK":                true,
	"Multiple transfer encoding headers in a single request OK": true,
	"TE with custom parameters OK":                              true,
	"Correct TE OK":                                             true,
	"Different Transfer-Encoding headers":                       true,
	"Different Transfer-Encoding headers combined":              true,
	"Transfer-Encoding with a param: chunked;custom_param":      true,
	// A request line that is not METHOD TARGET HTTP/1.1, or 1.0.
	"Non-RFC, but OK HTTP/0.9":            true,
	"Empty version, which means HTTP/0.9": true,
	"Unknown but OK HTTP/1.2":             true,
	"Empty URI":                           true,
}

func conformance(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "shared", "conformance", name)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the conformance data is missing: %v", err)
		}
		t.Skipf("the conformance data is not here: %v", err)
	}
	return dir
}

// Severe and ambiguous requests are refused and the connection closed;
// compliant ones are served, as one request with one body. What is harmless
// but wrong is refused as well.
func TestDesync(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(conformance(t, "http-desync"), "*.yaml"))
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	served := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []desyncCase
		if err := yaml.Unmarshal(text, &cases); err != nil {
			t.Fatal(file, err)
		}
		for _, tt := range cases {
			t.Run(filepath.Base(file)+"/"+tt.Name, func(t *testing.T) {
				if tt.serve(t) {
					served++
				}
			})
		}
	}
	if served < 8 {
		t.Errorf("only %d requests were served", served)
	}
}

// serve sends the request with a body as its framing says, and behind it what
// would be a second request. It reports whether the request was served.
func (tt *desyncCase) serve(t *testing.T) bool {
	var requests atomic.Int32
	s := settings()
	s.Fields, s.Head = 1000, 64<<10
	e := start(t, s, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil || strings.Trim(string(body), "x") != "" {
			t.Errorf("a body of %.80q, %v", body, err)
		}
		w.Header().Set("Connection", "close")
	})
	resp := answers(t, e.send(tt.text()), tt.Method)[0]
	switch {
	case tt.Expected.Tier == "Compliant" && !stricter[tt.Name]:
		if resp.StatusCode != 200 || requests.Load() != 1 {
			t.Errorf("compliant, and answered with %d: %+v", resp.StatusCode, e.faults)
		}
	case tt.Expected.Tier == "Acceptable" && !stricter[tt.Name]:
	default:
		if resp.StatusCode < 400 || requests.Load() != 0 || !resp.Close {
			t.Errorf("%s (%s), and answered with %d after %d requests", tt.Expected.Tier, tt.Expected.Reason, resp.StatusCode, requests.Load())
		}
	}
	return requests.Load() > 0
}

func (tt *desyncCase) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", tt.Method, tt.URI)
	if tt.Version != "" {
		b.WriteString(" " + tt.Version)
	}
	b.WriteString("\r\n")
	host, length, chunked := false, 0, false
	for _, h := range tt.Headers {
		name, value := fmt.Sprint(h.Name), fmt.Sprint(h.Value)
		if h.Value == nil {
			value = ""
		}
		host = host || strings.EqualFold(strings.TrimSpace(name), "Host")
		chunked = chunked || strings.EqualFold(strings.TrimSpace(name), "Transfer-Encoding")
		if strings.EqualFold(name, "Content-Length") {
			fmt.Sscan(value, &length)
		}
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	if !host {
		b.WriteString("Host: h\r\n")
	}
	b.WriteString("\r\n")
	if chunked {
		b.WriteString("3\r\nxxx\r\n0\r\n\r\n")
	} else {
		b.WriteString(strings.Repeat("x", length))
	}
	b.WriteString("GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
	return b.String()
}

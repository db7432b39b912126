package crs_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/waf/crs"
)

type document struct {
	config.At
	Set *crs.Config `yaml:"core-rule-set"`
}

// load reads a core-rule-set as written, with files beside it.
func load(t testing.TB, text string, files map[string]string) (*crs.Config, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var d document
	_, err := config.LoadBytes(filepath.Join(dir, "c.yaml"), []byte("core-rule-set: "+text+"\n"), &d, config.Options{})
	return d.Set, err
}

// compile compiles what must be right.
func compile(t testing.TB, text string) *crs.Set {
	t.Helper()
	return compileLimited(t, text, crs.Limits{Body: 64 << 10})
}

// sets are those that tests have compiled, by text and limits: there is nothing in
// them that changes.
var sets sync.Map

func compileLimited(t testing.TB, text string, limits crs.Limits) *crs.Set {
	t.Helper()
	key := fmt.Sprint(text, limits)
	if set, ok := sets.Load(key); ok {
		return set.(*crs.Set)
	}
	set := compileAnew(t, text, limits)
	sets.Store(key, set)
	return set
}

func compileAnew(t testing.TB, text string, limits crs.Limits) *crs.Set {
	t.Helper()
	c, err := load(t, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	var report config.Report
	set := crs.Compile(c, limits, &exchange.Rule{Filter: "waf", Name: "crs"}, nil, &report)
	if set == nil {
		t.Fatal(report.Problems())
	}
	return set
}

// ask inspects one request, written as it goes over the wire, and ends it.
func ask(t testing.TB, set *crs.Set, method, target string, header http.Header, body string) crs.Finding {
	t.Helper()
	f, in, x := begin(t, set, method, target, header, body)
	if in != nil {
		f.Matches = append(f.Matches, in.Close()...)
	}
	x.Finish()
	x.Release()
	return f
}

func begin(t testing.TB, set *crs.Set, method, target string, header http.Header, body string) (crs.Finding, *crs.Inspection, *exchange.Exchange) {
	t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, in)
	r.Header = http.Header{"User-Agent": {"test/1.0"}, "Accept": {"*/*"}}
	r.Host = "shop.test"
	for name, values := range header {
		r.Header[name] = values
	}
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{Listener: ":0"}, nil)
	if err := x.Path.Parse(r.RequestURI); err != nil {
		t.Fatal(err)
	}
	f, inspection := set.Request(x, r)
	return f, inspection, x
}

func has(f crs.Finding, id int) bool {
	for _, m := range f.Matches {
		if m.ID == id {
			return true
		}
	}
	return false
}

func ids(f crs.Finding) (out []int) {
	for _, m := range f.Matches {
		out = append(out, m.ID)
	}
	return out
}

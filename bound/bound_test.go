package bound

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gatehouse/config"
	"gatehouse/exchange"
)

type section struct {
	API   *Config `yaml:"api"`
	Route *Config `yaml:"route"`
}

func load(t testing.TB, text string) *Config {
	t.Helper()
	var s section
	if _, err := config.LoadBytes("test.yaml", []byte(text), &s, config.Options{}); err != nil {
		t.Fatal(err)
	}
	return s.Route.Over(s.API)
}

func ask(h http.Handler, header http.Header) (int, *exchange.Exchange) {
	rec := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = header
	x, r := exchange.Begin(rec, r, &exchange.Conn{}, nil)
	defer func() {
		if recover() != nil {
			x.Abort()
		}
		x.Finish()
	}()
	h.ServeHTTP(&x.Writer, r)
	return x.Writer.Status(), x
}

func TestOver(t *testing.T) {
	c := load(t, "api: {body: 1MiB, header: 4KiB, headers: 50, concurrent: 9}\nroute: {body: 1KiB, headers: 20}")
	if c.Largest() != 1<<10 || *c.Header != 4<<10 || *c.Headers != 20 || *c.Concurrent != 9 {
		t.Errorf("%+v", c)
	}
	if c := load(t, "api: {body: 1MiB}"); c.Largest() != 1<<20 {
		t.Errorf("%+v", c)
	}
	if (*Config)(nil).Largest() != 0 || Head(nil) != nil || Concurrent(&Config{}, "", nil) != nil || Head(&Config{}) != nil {
		t.Error("limits of nothing")
	}
}

func TestHead(t *testing.T) {
	many := http.Header{"X-Forwarded-For": {"1"}, "X-Forwarded-Proto": {"https"}, "Traceparent": {"x"}, "Tracestate": {"x"}, "X-Amzn-Trace-Id": {"x"}}
	for i := range 10 {
		many[fmt.Sprint("X-", i)] = []string{"v"}
	}
	twice := http.Header{"X": {strings.Repeat("a", 100), strings.Repeat("b", 149)}} // 5+100 and 5+149 bytes
	for _, tc := range []struct {
		config string
		header http.Header
		status int
		reason string
	}{
		{"api: {headers: 10}", many, 200, ""},
		{"api: {headers: 9}", many, 431, "too-many-headers"},
		{"api: {headers: 1}", twice, 431, "too-many-headers"},
		{"api: {header: 259}", twice, 200, ""},
		{"api: {header: 258}", twice, 431, "headers-too-large"},
		{"api: {header: 1KiB, headers: 5}", many, 431, "too-many-headers"},
	} {
		h := Head(load(t, tc.config))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) }))
		status, x := ask(h, tc.header)
		if status != tc.status || tc.reason != "" && (x.Refused.Reason != tc.reason || !x.Refused.Rule.At.IsValid()) {
			t.Errorf("%s: %d %+v", tc.config, status, x.Refused)
		}
	}
}

func TestConcurrent(t *testing.T) {
	k := NewKeeper()
	l := k.Begin()
	c := load(t, "api: {concurrent: 3}")
	release := make(chan struct{})
	var inside, most atomic.Int64
	enter := func(w http.ResponseWriter, r *http.Request) {
		if n := inside.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer inside.Add(-1)
		<-release
		if r.Header.Get("X-Panics") != "" {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(200)
	}
	h := Concurrent(c, "shop/prod/GET /", l)(http.HandlerFunc(enter))
	l.Commit()
	var served, refused atomic.Int64
	var all, tried sync.WaitGroup
	for i := range 20 {
		tried.Add(1)
		all.Go(func() {
			header := http.Header{}
			if i%2 == 0 {
				header.Set("X-Panics", "1")
			}
			var once sync.Once
			gate := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { once.Do(tried.Done); enter(w, r) })
			own := *h.(*concurrent)
			own.next = gate
			status, x := ask(&own, header)
			once.Do(tried.Done)
			if x != nil && status == 503 {
				refused.Add(1)
				if x.Refused.Reason != "concurrent" || x.Refused.Retry == 0 {
					t.Errorf("%+v", x.Refused)
				}
				return
			}
			served.Add(1)
		})
	}
	tried.Wait()
	close(release)
	all.Wait()
	if served.Load() != 3 || refused.Load() != 17 || most.Load() != 3 {
		t.Errorf("%d served, %d refused, %d at once", served.Load(), refused.Load(), most.Load())
	}
	// Over a reload the count is the same, and everybody has left.
	l = k.Begin()
	again := Concurrent(c, "shop/prod/GET /", l)(http.HandlerFunc(enter))
	if again.(*concurrent).count != h.(*concurrent).count || h.(*concurrent).count.n.Load() != 0 {
		t.Errorf("%d are counted", h.(*concurrent).count.n.Load())
	}
	if other := Concurrent(c, "shop/prod/GET /other", l)(http.HandlerFunc(enter)); other.(*concurrent).count == h.(*concurrent).count {
		t.Error("two routes count together")
	}
	l.Abort()
}

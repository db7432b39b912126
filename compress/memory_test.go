package compress

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"gatehouse/exchange"
)

// An encoder at work takes no more than it is said to cost, whatever it gets.
func TestCost(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures memory")
	}
	bodies := map[string][]byte{"JSON": orders(1 << 20), "noise": noise(1 << 20), "zeros": make([]byte, 1<<20), "mixed": append(orders(1<<19), noise(1<<19)...)}
	for level, row := range recipes {
		for c := gzip; c < codings; c++ {
			for name, body := range bodies {
				took := memoryOf(row[c].make, body)
				if took > row[c].cost {
					t.Errorf("%s %v of %s: takes %d KiB, said to cost %d", level, c, name, took>>10, row[c].cost>>10)
				}
				if took < row[c].cost/6 && name == "JSON" {
					t.Errorf("%s %v of %s: takes %d KiB, said to cost as much as %d", level, c, name, took>>10, row[c].cost>>10)
				}
			}
		}
	}
}

// memoryOf returns what an encoder holds in the middle of a body, flushed now
// and then.
func memoryOf(make func() encoder, body []byte) int64 {
	const several = 2
	var keep [several]encoder
	before := heap()
	for i := range keep {
		keep[i] = make()
		keep[i].Reset(io.Discard)
		for n := 0; n < len(body); n += 8 << 10 {
			_, _ = keep[i].Write(body[n:min(n+8<<10, len(body))])
			if n%(256<<10) == 0 {
				_ = keep[i].Flush()
			}
		}
	}
	after := heap()
	runtime.KeepAlive(&keep)
	return (after - before) / several
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// However many slow downloads there are, their encoders take what the keeper
// allows: the others stay plain, and when one ends another may begin.
func TestMemoryIsBounded(t *testing.T) {
	cost := recipes[Default][gzip].cost
	r := newRoute(t, on, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Etag", `"a"`)
		_, _ = w.Write(orders(5000))
	})
	r.keeper.limit = 3*cost + 1
	var open []*exchange.Exchange
	got := ""
	for range 5 { // begun, and never read to the end
		rec := httptest.NewRecorder()
		x := r.send(t, rec, "GET Accept-Encoding: gzip")
		open = append(open, x)
		got += fmt.Sprintf("%s %s %s|", rec.Header().Get("Content-Encoding"), rec.Header().Get("Etag"), x.Trail.Steps()[0].Decision)
	}
	if want := `gzip W/"a~gzip" changed|gzip W/"a~gzip" changed|gzip W/"a~gzip" changed| "a" failed| "a" failed|`; got != want {
		t.Errorf("%s", got)
	}
	if u := r.keeper.Usage(); u.Used != 3*cost || u.Refused != 2 {
		t.Errorf("%+v", u)
	}
	open[0].Abort()
	rec := httptest.NewRecorder()
	open[0] = r.send(t, rec, "GET Accept-Encoding: gzip")
	if rec.Header().Get("Content-Encoding") != "gzip" {
		t.Error("no room was made")
	}
	for _, x := range open {
		x.Finish()
	}
	u := r.keeper.Usage()
	if count := r.keeper.Counts()[0]; u.Used != 0 || count.Coding != "gzip" || count.Answers != 4 || count.Plain != 4*5000 || count.Coded == 0 || count.Coded > 4*2500 {
		t.Errorf("%+v %+v", u, count)
	}
}

// The budget: a request costs nothing where its answer stays plain; where it is
// coded, one value for its tag.
func TestAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("pools are emptied under the race detector")
	}
	body := orders(5000)
	cfg, k := mustLoad(t, on), NewKeeper(1<<30)
	var status int
	h := make(http.Header)
	w := &discard{h}
	target := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		clear(h)
		h["Content-Type"], h["Content-Length"] = htmlType, htmlLength
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
	for name, test := range map[string]struct {
		around http.Handler
		accept []string
		status int
		most   float64
	}{
		"without":     {target, []string{"gzip"}, 200, 0},
		"plain":       {New(cfg, k)(Plain(cfg)(target)), []string{"deflate"}, 200, 0},
		"no such":     {New(cfg, k)(Plain(cfg)(target)), []string{"gzip"}, 206, 0},
		"coded, gzip": {New(cfg, k)(Plain(cfg)(target)), []string{"gzip"}, 200, 2},
		"coded, zstd": {New(cfg, k)(Plain(cfg)(target)), []string{"zstd"}, 200, 2},
	} {
		status = test.status
		base := testing.AllocsPerRun(200, func() { serveOnce(w, target, test.accept) })
		n := testing.AllocsPerRun(200, func() { serveOnce(w, test.around, test.accept) })
		if n-base > test.most {
			t.Errorf("%s: %v allocations more, at most %v", name, n-base, test.most)
		}
	}
}

var htmlType, htmlLength = []string{"text/html"}, []string{"5000"}

type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

func serveOnce(w http.ResponseWriter, h http.Handler, accept []string) {
	r := &http.Request{Method: "GET", Header: http.Header{"Accept-Encoding": accept}}
	x, r := exchange.Begin(w, r, &exchange.Conn{}, nil)
	h.ServeHTTP(&x.Writer, r)
	x.Finish()
	x.Release()
}

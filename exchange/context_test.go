package exchange_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/exchange"
)

type parentKey struct{}

func under(parent context.Context) *exchange.Exchange {
	x, _ := exchange.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(parent), testConn, nil)
	return x
}

func TestContextDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := under(context.WithValue(t.Context(), parentKey{}, "v"))
		if _, ok := x.Deadline(); ok {
			t.Error("a deadline from nowhere")
		}
		x.SetTimeout(0)
		if _, ok := x.Deadline(); ok {
			t.Error("a deadline of zero")
		}
		x.SetTimeout(time.Second)
		if at, ok := x.Deadline(); !ok || !at.Equal(x.Start.Add(time.Second)) {
			t.Errorf("%v %v", at, ok)
		}
		time.Sleep(time.Second - time.Microsecond)
		if x.Err() != nil {
			t.Error("ended too early")
		}
		time.Sleep(time.Microsecond)
		if x.Err() != context.DeadlineExceeded {
			t.Errorf("unasked: %v", x.Err())
		}
		if x.Value(parentKey{}) != "v" || x.Parent().Value(parentKey{}) != "v" {
			t.Error("the connection's values are gone")
		}
		x.Finish()
		x.Release()

		x = under(t.Context())
		x.SetTimeout(time.Second)
		done := x.Done()
		time.Sleep(time.Second)
		<-done
		if x.Err() != context.DeadlineExceeded || x.Done() != done {
			t.Errorf("asked: %v", x.Err())
		}
		x.Finish()
	})
}

// The connection's deadline counts where it is the earlier one.
func TestContextOuterDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outer, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		x := under(outer)
		want, _ := outer.Deadline()
		for _, route := range []time.Duration{0, time.Minute} {
			x.SetTimeout(route)
			if at, ok := x.Deadline(); !ok || !at.Equal(want) {
				t.Errorf("%v: %v %v", route, at, ok)
			}
		}
		<-x.Done()
		if x.Err() != context.DeadlineExceeded {
			t.Error(x.Err())
		}
		x.Finish()
	})
}

func TestContextEnds(t *testing.T) {
	outer, cancel := context.WithCancel(t.Context())
	x := under(outer)
	done := x.Done()
	cancel()
	<-done
	if x.Err() != context.Canceled {
		t.Error(x.Err())
	}
	// The end of the request ends its Done.
	x = under(t.Context())
	done = x.Done()
	x.Finish()
	<-done
	if x.Err() != context.Canceled {
		t.Error(x.Err())
	}
	// Also where it is first asked for after the end.
	x = under(t.Context())
	x.Abort()
	if x.Err() != context.Canceled {
		t.Error(x.Err())
	}
	<-x.Done()
}

// Contexts made from an Exchange lead back to it, end with it, and cost no
// goroutine.
func TestContextChildren(t *testing.T) {
	x := under(t.Context())
	x.SetTimeout(time.Hour)
	x.Done()
	before := runtime.NumGoroutine()
	var children []context.Context
	for range 20 {
		child, cancel := context.WithCancel(context.WithValue(x, parentKey{}, 1))
		defer cancel()
		children = append(children, child)
	}
	if more := runtime.NumGoroutine() - before; more > 0 {
		t.Errorf("%d goroutines", more)
	}
	for _, c := range children {
		if exchange.FromContext(c) != x {
			t.Fatal("a child does not lead to its Exchange")
		}
	}
	if exchange.FromContext(t.Context()) != nil {
		t.Error("an Exchange from nowhere")
	}
	x.Finish()
	for _, c := range children {
		<-c.Done()
	}
}

// An Exchange is used again only where nobody can still hold it.
func TestReuse(t *testing.T) {
	hold := map[string]func(*exchange.Exchange){
		"done": func(x *exchange.Exchange) { x.Done() },
		"keep": func(x *exchange.Exchange) { x.Keep() },
		"child": func(x *exchange.Exchange) {
			_, cancel := context.WithTimeout(x, time.Hour)
			cancel()
		},
	}
	for name, f := range hold {
		x := under(t.Context())
		f(x)
		x.Finish()
		x.Release()
		if x.ID == "" {
			t.Errorf("%s: the Exchange was emptied", name)
		}
		for range 100 {
			if y := under(t.Context()); y == x {
				t.Fatalf("%s: the Exchange is used again", name)
			}
		}
	}
	x := under(t.Context())
	x.Finish()
	x.Release()
	if x.ID != "" {
		t.Error("an Exchange that nobody holds is kept as it was")
	}
}

// Nothing of one request is left in the next one.
func TestReuseIsClean(t *testing.T) {
	for i := range 50 {
		x := under(t.Context())
		if x.API+x.Stage+x.Route+x.Host != "" || len(x.Params)+len(x.Labels)+len(x.Trail.Steps())+len(x.Path.Segments) > 0 ||
			x.Principal != nil || x.Refused != nil || x.Aborted || x.Path.Slash || x.Writer.Status() != 0 || x.Writer.Begun() ||
			x.Body.Begun() || x.Upstream != (exchange.Upstream{}) || x.Variables != nil {
			t.Fatalf("request %d begins as %+v", i, x)
		}
		if _, ok := x.Deadline(); ok || x.Err() != nil {
			t.Fatalf("request %d begins with a deadline", i)
		}
		x.API, x.Stage, x.Route, x.Host, x.Variables = "a", "s", "r", "h", map[string]string{"v": "1"}
		x.Params = append(x.Params, exchange.Param{Name: "id", Value: "1"})
		x.Labels = append(x.Labels, "l")
		x.Principal = exchange.NewPrincipal("jwt", "i", "s")
		x.Upstream.Error = "e"
		x.SetTimeout(time.Nanosecond)
		_ = x.Path.Parse("/a/b/")
		if v, ok := x.Param("id"); v != "1" || !ok {
			t.Fatal("the parameter is gone")
		}
		if _, ok := x.Param("none"); ok {
			t.Fatal("a parameter from nowhere")
		}
		x.OnHead(func(*exchange.Head) {})
		r := httptest.NewRequest("GET", "/", nil).WithContext(x)
		exchange.Refuse(&x.Writer, r, exchange.Refusal{Status: 404, Rule: testRule})
		x.Finish()
		x.Release()
	}
}

// Under the race detector: requests at once, some held beyond their end.
func TestReuseConcurrently(t *testing.T) {
	budget := exchange.NewBudget(1 << 20)
	var requests sync.WaitGroup
	for i := range 8 {
		requests.Go(func() {
			for n := range 200 {
				rec := httptest.NewRecorder()
				x, r := exchange.Begin(rec, httptest.NewRequest("GET", "/", nil), testConn, budget)
				id := x.ID
				if (n+i)%3 == 0 {
					requests.Go(func() { holdOn(t, r.Context(), id) })
					x.Keep()
				}
				_ = x.Path.Parse("/a/b%20c")
				x.OnHead(func(h *exchange.Head) {
					if h.Exchange.ID != id {
						t.Errorf("the head of %s is %s's", id, h.Exchange.ID)
					}
				})
				_, _ = x.Writer.Write([]byte(id))
				x.Finish()
				if rec.Body.String() != id || x.ID != id {
					t.Errorf("%s was answered to %s", rec.Body, id)
				}
				x.Release()
			}
		})
	}
	requests.Wait()
}

func holdOn(t *testing.T, ctx context.Context, id string) {
	<-ctx.Done()
	if ctx.Err() == nil || exchange.FromContext(ctx).ID != id {
		t.Errorf("who held on to %s has another Exchange", id)
	}
}

// The budget of a request's record: the id, and the request with its context.
func TestExchangeAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("allocations are not counted under the race detector")
	}
	rec := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	hook := func(*exchange.Head) {}
	run := func() {
		x, _ := exchange.Begin(nothing{rec.Header()}, r, testConn, nil)
		_ = x.Path.Parse("/orders/42")
		x.OnHead(hook)
		x.Writer.WriteHeader(200)
		x.Finish()
		x.Release()
	}
	run()
	if n := testing.AllocsPerRun(500, run); n > 2 {
		t.Errorf("%v allocations, at most 2", n)
	}
}

func BenchmarkExchange(b *testing.B) {
	r := httptest.NewRequest("GET", "/", nil)
	w := nothing{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		x, _ := exchange.Begin(w, r, testConn, nil)
		_ = x.Path.Parse("/orders/42")
		x.Writer.WriteHeader(200)
		x.Finish()
		x.Release()
	}
}

// nothing is an engine that sends nothing.
type nothing struct{ h http.Header }

func (n nothing) Header() http.Header       { return n.h }
func (nothing) WriteHeader(int)             {}
func (nothing) Write(p []byte) (int, error) { return len(p), nil }

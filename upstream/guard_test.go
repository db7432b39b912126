package upstream

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/dial"
	"gatehouse/exchange"

	"gatehouse/upstream/guard"
)

// fickle is a backend whose status a test changes.
type fickle struct {
	*backend
	status  atomic.Int64
	hold    atomic.Pointer[chan struct{}] // answers wait for it
	asked   atomic.Int64
	current atomic.Int64
	most    atomic.Int64
}

func newFickle(t testing.TB) *fickle {
	t.Helper()
	f := &fickle{}
	f.status.Store(200)
	f.backend = newBackend(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for request(r) != nil {
			f.asked.Add(1)
			f.most.Store(max(f.most.Load(), f.current.Add(1)))
			if hold := f.hold.Load(); hold != nil {
				<-*hold
			}
			f.current.Add(-1)
			fmt.Fprintf(c, "HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n", f.status.Load())
		}
	})
	return f
}

func outliers() *guard.Outliers {
	return &guard.Outliers{Consecutive: 3, Window: ms(10_000), Minimum: 20, Ejection: ms(500), Longest: ms(5000), Share: 0.5, Status: guard.Statuses{{500, 599}}}
}

// logs is a log that a test reads.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func loggingKeeper(t testing.TB) (*Keeper, *logs) {
	t.Helper()
	l := &logs{}
	k := NewKeeper(Options{Dialer: dial.New(dial.Options{}), Log: slog.New(slog.NewTextHandler(l, nil))})
	t.Cleanup(k.Close)
	return k, l
}

// noted is a handler around another that keeps the trail's words.
type noted struct {
	next  http.Handler
	mu    sync.Mutex
	steps []string
}

func (n *noted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.steps = nil
		for _, s := range x.Trail.Steps() {
			n.steps = append(n.steps, s.Detail)
		}
	}()
	n.next.ServeHTTP(w, r)
}

func (n *noted) last() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.steps, "|")
}

// A target whose answers are bad gets no requests for a while; then one, and if
// that goes well, its share again. All of that is told.
func TestOutliersAreEjected(t *testing.T) {
	good, bad := newFickle(t), newFickle(t)
	k, l := loggingKeeper(t)
	c := service(good.address(), bad.address())
	c.Outliers = outliers()
	s := bindIn(t, k, c)
	h := &noted{next: New(Route{Service: s})}
	f := newFront(t, h)
	ask := func() outcome {
		t.Helper()
		if _, _, err := get(t, f.URL+"/"); err != nil {
			t.Fatal(err)
		}
		return f.last(t)
	}
	bad.status.Store(503)
	failed := 0
	for range 40 {
		if ask().Status == 503 {
			failed++
		}
		if stats(k)[bad.address()].Ejected {
			break
		}
	}
	if failed != 3 {
		t.Errorf("%d requests failed before the target was taken out", failed)
	}
	if all := serviceStats(k); all.Healthy != 1 || all.Ejected != 1 {
		t.Errorf("%+v", all)
	}
	if !strings.Contains(l.String(), "target ejected") || !strings.Contains(l.String(), "3 failures in a row, the last: status 503") {
		t.Errorf("the log says\n%s", l)
	}
	found := false
	for range 10 {
		ask()
		found = found || strings.Contains(h.last(), bad.address()+" was passed over: ejected at ")
	}
	if !found {
		t.Errorf("the trail does not say why a target was passed over: %s", h.last())
	}

	// It is tried with one request, whose failure keeps it out for longer.
	time.Sleep(510 * time.Millisecond)
	before := bad.asked.Load()
	for range 20 {
		ask()
	}
	if n := bad.asked.Load() - before; n != 1 {
		t.Errorf("%d requests after the time was over, want one trial", n)
	}
	if st := stats(k)[bad.address()]; !st.Ejected || st.Ejections != 2 {
		t.Errorf("%+v", st)
	}

	// A reload keeps what is known, and so do a hundred.
	for i := range 100 {
		again := c
		again.Timeouts.Answer = ms(5000 + i)
		h.next = New(Route{Service: bindIn(t, k, again)})
	}
	if st := stats(k)[bad.address()]; !st.Ejected || st.Ejections != 2 {
		t.Errorf("after reloads: %+v", st)
	}
	bad.status.Store(200)
	time.Sleep(1010 * time.Millisecond)
	for range 20 {
		ask()
	}
	if stats(k)[bad.address()].Ejected {
		t.Error("stays out, though the trial went well")
	}
	if !strings.Contains(l.String(), "target back") {
		t.Errorf("the log says\n%s", l)
	}
}

func serviceStats(k *Keeper) (out ServiceStats) {
	k.EachService(func(s ServiceStats) { out = s })
	return out
}

// What counts against a target, and what does not.
func TestWhatOutliersCount(t *testing.T) {
	other := newFickle(t)
	cut := newBackend(t, func(_ int, c net.Conn, r *bufio.Reader) {
		if request(r) != nil {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all")
		}
	})
	slow := newFickle(t)
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	slow.hold.Store(&never)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	missing := newFickle(t)
	missing.status.Store(404)
	for what, c := range map[string]struct {
		address string
		timeout time.Duration // of the route
		want    bool
	}{
		"connections refused":  {nobody.Addr().String(), 0, true},
		"bodies cut off":       {cut.address(), 0, true},
		"no answer in time":    {slow.address(), 0, true},
		"the route's deadline": {slow.address(), 30 * time.Millisecond, true},
		"what is the client's": {missing.address(), 0, false},
	} {
		k, l := loggingKeeper(t)
		cfg := service(c.address, other.address())
		cfg.Outliers, cfg.Timeouts.Answer = outliers(), ms(60)
		f := newFront(t, New(Route{Service: bindIn(t, k, cfg)}), func(f *front) { f.timeout = c.timeout })
		for range 12 {
			_, _, _ = get(t, f.URL+"/")
		}
		if got := stats(k)[c.address].Ejections > 0; got != c.want {
			t.Errorf("%s: ejected: %v\n%s", what, got, l)
		}
	}
}

func TestBreakerOfAService(t *testing.T) {
	b := newFickle(t)
	k, l := loggingKeeper(t)
	c := service(b.address())
	c.Breaker = &guard.Breaker{Failures: 0.5, Window: ms(10_000), Minimum: 4, Open: ms(500), Trials: 1, Status: guard.Statuses{{502, 504}}}
	h := New(Route{Service: bindIn(t, k, c)})
	f := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) }))
	ask := func() (outcome, *http.Response) {
		t.Helper()
		resp, _, err := get(t, f.URL+"/")
		if err != nil {
			t.Fatal(err)
		}
		return f.last(t), resp
	}
	b.status.Store(500) // bad as it is, the service is there
	for range 10 {
		ask()
	}
	b.status.Store(503)
	failures := 0
	for o, _ := ask(); o.Reason != "circuit-open"; o, _ = ask() {
		failures++
		if failures > 50 {
			t.Fatal("never opens")
		}
	}
	asked := b.asked.Load()
	o, resp := ask()
	if o.Status != 503 || resp.Header.Get("Retry-After") != "1" || !strings.Contains(o.Detail, "requests failed within 10s") || b.asked.Load() != asked {
		t.Errorf("%+v, %v", o, resp.Header)
	}
	if st := serviceStats(k).Breaker; !st.Open || st.Opened != 1 || st.Refused == 0 {
		t.Errorf("%+v", st)
	}
	// A reload keeps it open.
	h = New(Route{Service: bindIn(t, k, c)})
	if o, _ := ask(); o.Reason != "circuit-open" {
		t.Errorf("%+v", o)
	}
	time.Sleep(510 * time.Millisecond)
	if o, _ := ask(); o.Upstream.Status != 503 { // the trial
		t.Errorf("%+v", o)
	}
	if o, _ := ask(); o.Reason != "circuit-open" {
		t.Errorf("%+v", o)
	}
	b.status.Store(200)
	time.Sleep(510 * time.Millisecond)
	for range 3 {
		if o, _ := ask(); o.Status != 200 {
			t.Errorf("%+v", o)
		}
	}
	for _, want := range []string{"breaker open", "breaker closed", "a trial failed"} {
		if !strings.Contains(l.String(), want) {
			t.Errorf("the log does not say %q\n%s", want, l)
		}
	}
}

// Never more under way than may be, whoever comes, waits, gives up or is
// reloaded, and in the end nobody waits.
func TestConcurrencyOfAService(t *testing.T) {
	one, two := newFickle(t), newFickle(t)
	hold := make(chan struct{})
	one.hold.Store(&hold)
	two.hold.Store(&hold)
	k := newTestKeeper(t)
	c := service(one.address(), two.address())
	c.Balance.Method = 1
	c.Concurrency = &guard.Concurrency{PerTarget: 2, Service: 3, Queue: 4, Timeout: ms(5000)}
	h := &noted{next: New(Route{Service: bindIn(t, k, c)})}
	f := newFront(t, h)
	var all sync.WaitGroup
	var statuses [1000]atomic.Int64
	send := func(n int) {
		for range n {
			all.Go(func() {
				resp, _, err := get(t, f.URL+"/")
				if err != nil {
					t.Error(err)
					return
				}
				statuses[resp.StatusCode].Add(1)
			})
		}
	}
	gate := func() (now struct{ used, waiting int64 }) {
		s := serviceStats(k).Gate
		now.used, now.waiting = s.Used, s.Waiting
		return now
	}
	send(7)
	eventually(t, "not all came to wait", func() bool { return gate().used == 3 && gate().waiting == 4 })
	if one.current.Load()+two.current.Load() > 3 {
		t.Error("more than three at once")
	}
	resp, _, err := get(t, f.URL+"/")
	if o := f.last(t); err != nil || resp.StatusCode != 503 || o.Reason != "queue-full" || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("%v, %v, %+v", resp, err, o)
	}
	bindIn(t, k, c) // a reload, while they wait
	close(hold)
	all.Wait()
	if statuses[200].Load() != 7 {
		t.Errorf("%d of 7 were served", statuses[200].Load())
	}
	queued := 0
	for range 7 {
		if o := f.last(t); o.Upstream.Queued > 0 {
			queued++
		}
	}
	if queued != 4 {
		t.Errorf("%d of 4 say that they waited", queued)
	}
	eventually(t, "places are not given back", func() bool { return gate().used == 0 && gate().waiting == 0 })
	send(40)
	all.Wait()
	if one.most.Load() > 2 || two.most.Load() > 2 {
		t.Errorf("%d and %d at once at one target", one.most.Load(), two.most.Load())
	}
	now := k.Begin()
	now.Abort()
	if st := stats(k); st[one.address()].InFlight != 0 || st[two.address()].InFlight != 0 {
		t.Errorf("%+v", st)
	}
}

// Who waits in vain is told so, and who leaves is forgotten.
func TestQueueTimeout(t *testing.T) {
	b := newFickle(t)
	hold := make(chan struct{})
	b.hold.Store(&hold)
	k := newTestKeeper(t)
	c := service(b.address())
	c.Concurrency = &guard.Concurrency{PerTarget: 1, Queue: 4, Timeout: ms(40)}
	f := newFront(t, New(Route{Service: bindIn(t, k, c)}))
	done := make(chan struct{})
	go func() { defer close(done); _, _, _ = get(t, f.URL+"/") }()
	eventually(t, "not asked", func() bool { return b.current.Load() == 1 })
	resp, _, err := get(t, f.URL+"/")
	if o := f.last(t); err != nil || resp.StatusCode != 503 || o.Reason != "queue-timeout" || o.Upstream.Queued < 40*time.Millisecond || o.Upstream.Attempts != 0 {
		t.Errorf("%v, %v, %+v", resp, err, o)
	}

	c.Concurrency.Timeout = ms(5000)
	f2 := newFront(t, New(Route{Service: bindIn(t, k, c)}), func(f *front) { f.timeout = 50 * time.Millisecond })
	resp, _, err = get(t, f2.URL+"/")
	if o := f2.last(t); err != nil || resp.StatusCode != 504 || o.Reason != "deadline" {
		t.Errorf("%v, %v, %+v", resp, err, o)
	}
	f3 := newFront(t, New(Route{Service: bindIn(t, k, c)}))
	conn, err := net.Dial("tcp", f3.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "not waiting", func() bool { return serviceStats(k).Gate.Waiting == 1 })
	conn.Close()
	eventually(t, "a client that left waits on", func() bool { s := serviceStats(k).Gate; return s.Waiting == 0 && s.Left == 1 })
	close(hold)
	<-done
	eventually(t, "places are not given back", func() bool { return serviceStats(k).Gate.Used == 0 })
}

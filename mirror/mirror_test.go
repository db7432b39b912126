package mirror

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/config"
	"gatehouse/exchange"
)

// copied is what a shadow got.
type copied struct {
	method, target, host, body string
	header                     http.Header
	client                     netip.Addr
}

// shadow records what it gets.
type shadow struct{ got chan copied }

func newShadow() *shadow { return &shadow{make(chan copied, 1024)} }

func (s *shadow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	body, _ := io.ReadAll(&x.Body)
	s.got <- copied{r.Method, string(append(x.Path.AppendCanonical(nil), "?"+x.Path.Query...)), r.Host, string(body), r.Header, x.Client}
	w.WriteHeader(http.StatusNoContent)
}

// mirrored is a filter of its own keeper in front of a target.
type mirrored struct {
	keeper *Keeper
	queue  *Queue
	http.Handler
}

func newMirrored(c Config, to, target http.Handler) *mirrored {
	if c.Timeout == 0 {
		c.Timeout = config.Duration(10 * time.Second)
	}
	if c.Percent == 0 {
		c.Percent = 100
	}
	if c.Concurrent == 0 {
		c.Concurrent = 2
	}
	m := &mirrored{keeper: NewKeeper()}
	l := m.keeper.Begin()
	m.queue = l.queue("shadow", c.Concurrent)
	m.Handler = New(&Shadow{
		Config: &c, Name: "shadow", Handler: to, Secret: []string{"x-token"},
		Path:   func(x *exchange.Exchange, b []byte) []byte { return x.Path.AppendCanonical(append(b, "/v1"...)) },
		Redact: func(b []byte, q string) []byte { return append(b, strings.ReplaceAll(q, "secret", "(redacted)")...) },
	}, l)(target)
	l.Commit()
	return m
}

func (m *mirrored) counts() string {
	var out []string
	m.keeper.Each(func(s Stats) {
		for _, r := range s.Results {
			if r.Copies > 0 {
				out = append(out, fmt.Sprint(r.Outcome, " ", r.Copies))
			}
		}
	})
	return strings.Join(out, ", ")
}

// ask sends a request; it returns the trail's word on the copy.
func (m *mirrored) ask(method, target, body string, header http.Header, budget *exchange.Budget) string {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body == "" {
		r = httptest.NewRequest(method, target, http.NoBody)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, budget)
	x.ID, x.Client = "the-id", netip.MustParseAddr("192.0.2.1")
	_ = x.Path.Parse(target)
	defer func() {
		if recover() != nil {
			x.Abort()
		}
		x.Finish()
	}()
	m.ServeHTTP(&x.Writer, r)
	if steps := x.Trail.Steps(); len(steps) > 0 {
		return steps[0].Detail
	}
	return ""
}

// reads is a target that reads bodies.
var reads = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, &exchange.From(r).Body) })

func TestCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, credentials := range []bool{false, true} {
			to := newShadow()
			m := newMirrored(Config{Body: 100, Credentials: credentials, Concurrent: 1}, to, reads)
			h := http.Header{
				"Authorization": {"Bearer x"}, "Cookie": {"a=b"}, "X-Token": {"t"}, "X-Api-Key": {"k"}, "X-Amz-Security-Token": {"s"},
				"X-Kept": {"1", "2"}, "Expect": {"100-continue"}, Field: {"forged"},
			}
			m.ask("POST", "/orders/42?a=secret&b=%20", "the body", h, nil)
			m.ask("GET", "/", "", nil, nil)
			synctest.Wait()
			got := <-to.got
			query := "a=(redacted)&b=%20"
			if credentials {
				query = "a=secret&b=%20"
			}
			if got.method != "POST" || got.target != "/v1/orders/42?"+query || got.host != "example.com" || got.body != "the body" || got.client.String() != "192.0.2.1" {
				t.Errorf("%+v", got)
			}
			if got.header.Get(Field) != "the-id" || len(got.header["X-Kept"]) != 2 || got.header.Get("Expect") != "" {
				t.Errorf("%v", got.header)
			}
			for _, name := range []string{"Authorization", "Cookie", "X-Token", "X-Api-Key", "X-Amz-Security-Token"} {
				if _, there := got.header[name]; there != credentials {
					t.Errorf("%s is there: %v", name, there)
				}
			}
			if got = <-to.got; got.method != "GET" || got.body != "" {
				t.Errorf("%+v", got)
			}
			if counts := m.counts(); counts != "answered 2" {
				t.Error(counts)
			}
			m.keeper.Close()
		}
	})
}

// The copy is one: what a filter or the engine does with the request's header
// afterwards does not show in it.
func TestCopyIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := newShadow()
		m := newMirrored(Config{}, to, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header["X-Kept"][0] = "overwritten"
			clear(r.Header)
		}))
		m.ask("GET", "/", "", http.Header{"X-Kept": {"1"}}, nil)
		synctest.Wait()
		if got := <-to.got; got.header.Get("X-Kept") != "1" {
			t.Errorf("%v", got.header)
		}
		m.keeper.Close()
	})
}

// A shadow that hangs holds up nobody: so many copies are sent, so many wait,
// and the rest is dropped.
func TestNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hangs := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-release })
		m := newMirrored(Config{Concurrent: 2, Body: 100}, hangs, reads)
		budget := exchange.NewBudget(1 << 20)
		began := time.Now()
		for range 50 {
			m.ask("POST", "/", "body", nil, budget)
		}
		if took := time.Since(began); took > 0 { // of the bubble's own time
			t.Errorf("requests took %v", took)
		}
		synctest.Wait()
		var s Stats
		m.keeper.Each(func(of Stats) { s = of })
		if s.Sending != 2 || s.Waiting != 32 || m.counts() != "dropped-full 16" {
			t.Errorf("%d sent, %d wait, %s", s.Sending, s.Waiting, m.counts())
		}
		if word := m.ask("GET", "/", "", nil, budget); word != "no copy: too many wait" {
			t.Error(word)
		}
		close(release)
		synctest.Wait()
		if m.counts() != "answered 34, dropped-full 17" || budget.Used() != 0 {
			t.Errorf("%s, %d of the budget", m.counts(), budget.Used())
		}
		m.keeper.Close()
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		})
		m := newMirrored(Config{Timeout: config.Duration(3 * time.Second)}, hangs, reads)
		began := time.Now()
		m.ask("GET", "/", "", nil, nil)
		for m.counts() == "" {
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if took := time.Since(began); took != 3*time.Second || m.counts() != "failed 1" {
			t.Errorf("%v: %s", took, m.counts())
		}
		m.ask("GET", "/", "", nil, nil)
		synctest.Wait()
		m.keeper.Close() // ends what is being sent
		if m.queue.counts[failed].Load() != 2 {
			t.Error("the copy was not ended")
		}
	})
}

// What cannot be copied whole is not copied, and the request never fails for it.
func TestNotCopied(t *testing.T) {
	never := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Error("a copy came") })
	for _, tc := range []struct {
		name   string
		target http.Handler
		body   string
		header http.Header
		budget int64
		want   string
	}{
		{"too large", reads, strings.Repeat("x", 101), nil, 1 << 20, "dropped-large 1"},
		{"not read", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), "body", nil, 1 << 20, "dropped-partial 1"},
		{"no memory to spare", reads, "body", nil, 6, "dropped-budget 1"},
		{"broken off", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }), "body", nil, 1 << 20, "dropped-partial 1"},
		{"a WebSocket", reads, "", http.Header{"Upgrade": {"websocket"}}, 1 << 20, ""},
	} {
		m := newMirrored(Config{Body: 100}, never, tc.target)
		budget := exchange.NewBudget(tc.budget)
		m.ask("POST", "/", tc.body, tc.header, budget)
		m.keeper.Close()
		var s string
		for o := range outcomes {
			if n := m.queue.counts[o].Load(); n > 0 {
				s += fmt.Sprint(o, " ", n)
			}
		}
		if s != tc.want || budget.Used() != 0 {
			t.Errorf("%s: %q, want %q; %d of the budget", tc.name, s, tc.want, budget.Used())
		}
	}
}

// A request whose answer breaks off was made all the same.
func TestAnswerBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := newShadow()
		m := newMirrored(Config{Body: 100}, to, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			reads(w, r)
			panic(http.ErrAbortHandler)
		}))
		m.ask("POST", "/", "body", nil, nil)
		synctest.Wait()
		if got := <-to.got; got.body != "body" {
			t.Errorf("%+v", got)
		}
		m.keeper.Close()
	})
}

func TestPercent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := newShadow()
		m := newMirrored(Config{Percent: 5}, to, reads)
		for range 200 {
			m.ask("GET", "/", "", nil, nil)
		}
		synctest.Wait()
		if n := len(to.got); n != 10 {
			t.Errorf("%d copies of 200", n)
		}
		m.keeper.Close()
	})
	if New(nil, nil) != nil || New(&Shadow{Config: &Config{}}, nil) != nil {
		t.Error("a filter that copies nothing")
	}
}

// A shadow that answers without end is cut, one that panics ends itself alone.
func TestBadShadows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					panic(http.ErrAbortHandler)
				}
			}
		})
		panics := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a mistake") })
		refuses := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			exchange.Refuse(w, r, exchange.Refusal{Status: 502, Rule: &exchange.Rule{}})
		})
		for _, to := range []http.Handler{endless, panics, refuses} {
			m := newMirrored(Config{}, to, reads)
			m.ask("GET", "/", "", nil, nil)
			synctest.Wait()
			if m.counts() != "failed 1" {
				t.Error(m.counts())
			}
			m.keeper.Close()
		}
	})
}

// A reload that names the target again keeps its queue; one that does not drops
// what waits.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		m := newMirrored(Config{Concurrent: 1}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }), reads)
		for range 5 {
			m.ask("GET", "/", "", nil, nil)
		}
		synctest.Wait()
		l := m.keeper.Begin()
		if l.queue("shadow", 1) != m.queue {
			t.Error("another queue")
		}
		l.Commit()
		aborted := m.keeper.Begin()
		aborted.queue("other", 1)
		aborted.Abort()
		m.keeper.Begin().Commit()
		if n := m.queue.counts[droppedFull].Load(); n != 4 {
			t.Errorf("%d were dropped", n)
		}
		m.ask("GET", "/", "", nil, nil) // by the old configuration
		close(release)
		synctest.Wait()
		if a, d := m.queue.counts[answered].Load(), m.queue.counts[droppedFull].Load(); a != 1 || d != 5 {
			t.Errorf("%d answered, %d dropped", a, d)
		}
		m.keeper.Close()
	})
}

func BenchmarkMirror(b *testing.B) {
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for _, percent := range []float64{0.0001, 100} {
		b.Run(fmt.Sprint(percent, " percent"), func(b *testing.B) {
			m := newMirrored(Config{Percent: percent, Concurrent: 1024}, next, next)
			r := httptest.NewRequest("GET", "/orders/42", http.NoBody)
			for i := range 12 {
				r.Header.Set(fmt.Sprint("X-Field-", i), "some value")
			}
			b.ReportAllocs()
			for range b.N {
				x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, nil)
				_ = x.Path.Parse("/orders/42")
				m.ServeHTTP(&x.Writer, r)
				x.Finish()
				x.Release()
			}
			m.keeper.Close()
		})
	}
}

package store

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// began is when the stores of the tests begin: the beginning of a span of 28 days.
const began = 20608 / 28 * 28 * day

func open(t testing.TB, o Options) *Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "metrics")
	}
	o.Log = slog.New(slog.NewTextHandler(testWriter{t}, nil))
	s := New(o)
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) { w.t.Logf("%s", p); return len(p), nil }

func add(t testing.TB, s *Store, at int64, kind Kind, values map[string]float64) {
	t.Helper()
	b := s.Batch(Source{Name: "own"}, at)
	for name, v := range values {
		b.Add(labels.FromStrings(model.MetricNameLabel, name, "api", "shop"), kind, v)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
}

func maintain(t testing.TB, s *Store, at int64) {
	t.Helper()
	if err := s.Maintain(context.Background(), time.UnixMilli(at)); err != nil {
		t.Fatal(err)
	}
}

// points are the samples of a name as they are kept, without lines between them.
func points(t testing.TB, s *Store, name string) []point {
	t.Helper()
	q, err := s.Queryable(0).Querier(0, math.MaxInt64/4)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	set := q.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, name))
	var out []point
	for set.Next() {
		it := set.At().Iterator(nil).(*iterator)
		it.every = math.MaxInt64
		for it.Next() != chunkenc.ValNone {
			out = append(out, it.at)
		}
		if it.Err() != nil {
			t.Fatal(it.Err())
		}
	}
	if set.Err() != nil {
		t.Fatal(set.Err())
	}
	return out
}

func engine() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{MaxSamples: 10_000_000, Timeout: time.Minute, EnableAtModifier: true, Parser: parser.NewParser(parser.Options{})})
}

// ask asks for one value at a time.
func ask(t testing.TB, s *Store, query string, at int64) float64 {
	t.Helper()
	q, err := engine().NewInstantQuery(context.Background(), s.Queryable(0), nil, query, time.UnixMilli(at))
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer q.Close()
	r := q.Exec(context.Background())
	v, err := r.Vector()
	if err != nil || len(v) > 1 {
		t.Fatalf("%s: %v %v", query, r, err)
	}
	if len(v) == 0 {
		return math.NaN()
	}
	return v[0].F
}

func near(t testing.TB, what string, got, want float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > 1e-6*max(1, math.Abs(want)) {
		t.Errorf("%s is %v, not %v", what, got, want)
	}
}

// What was sampled is there, at once, after a block was made, and after the store
// was opened again, be it closed or not before.
func TestKeeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "metrics")
	s := open(t, Options{Dir: dir})
	if _, err := os.Stat(dir); err == nil {
		t.Error("a folder is made before there is anything to keep")
	}
	const each = 10_000
	check := func(s *Store, n int) {
		t.Helper()
		got := points(t, s, "gatehouse_requests_total")
		if len(got) != n {
			t.Fatalf("%d samples, want %d", len(got), n)
		}
		for i, p := range got {
			if p.t != began+int64(i)*each || p.v != float64(i*i) {
				t.Fatalf("sample %d is %v", i, p)
			}
		}
	}
	n := 0
	more := func(s *Store, count int) {
		for range count {
			add(t, s, began+int64(n)*each, Counter, map[string]float64{"gatehouse_requests_total": float64(n * n), "steady": 1})
			n++
		}
	}
	more(s, 100)
	check(s, n)
	more(s, 50) // over the end of the first window
	check(s, n)
	maintain(t, s, began+int64(n)*each)
	if st := s.Stats(); st.Blocks != 1 || st.Series != 2 || st.Active != 2 {
		t.Errorf("%+v", st)
	}
	check(s, n)
	crashed := open(t, Options{Dir: copied(t, dir)})
	check(crashed, n)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Queryable(0).Querier(0, 1); err != ErrClosed {
		t.Errorf("a closed store says %v", err)
	}
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	check(s, n)
	more(s, 120)
	maintain(t, s, began+int64(n)*each)
	more(s, 100)
	check(s, n)
	again := open(t, Options{Dir: copied(t, dir)}) // two windows to make blocks of
	check(again, n)
	maintain(t, again, began+int64(n)*each)
	check(again, n)
	if st := again.Stats(); st.Blocks != 3 {
		t.Errorf("%d blocks, want 3", st.Blocks)
	}
}

func copied(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// A file of the log that is cut at any byte keeps what stands before, and the store
// goes on.
func TestCutAnywhere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "metrics")
	s := open(t, Options{Dir: dir})
	var ends []int64
	for i := range 20 {
		add(t, s, began+int64(i)*1000, Gauge, map[string]float64{"a": float64(i), fmt.Sprint("b", i): 1})
		ends = append(ends, s.wal.Size())
	}
	path := filepath.Join("wal", "00000001.wal")
	whole, err := os.ReadFile(filepath.Join(dir, path))
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut <= len(whole); cut += 37 {
		to := t.TempDir()
		if err := os.MkdirAll(filepath.Join(to, "wal"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, path), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, end := range ends {
			if int64(cut) >= end {
				want++
			}
		}
		c := New(Options{Dir: to})
		if err := c.Open(); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if got := points(t, c, "a"); len(got) != want {
			t.Fatalf("cut at %d: %d samples, want %d", cut, len(got), want)
		}
		add(t, c, began+100_000, Gauge, map[string]float64{"a": 1, "c": 2})
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.Open(); err != nil {
			t.Fatal(err)
		}
		if got := points(t, c, "a"); len(got) != want+1 || got[want].v != 1 {
			t.Fatalf("cut at %d, opened again: %v", cut, got)
		}
		if got := points(t, c, "c"); len(got) != 1 || got[0].v != 2 {
			t.Fatalf("cut at %d, opened again: c is %v", cut, got)
		}
		_ = c.Close()
	}
}

// fill samples a counter and a gauge for a time, with a restart of the counter.
type filler struct {
	t       testing.TB
	s       *Store
	at      int64
	counter float64
	total   float64 // what the counter has counted over restarts
	rnd     *rand.Rand
	low     float64
	high    float64

	maintained int64
}

func (f *filler) run(span, each int64) {
	f.low, f.high = math.Inf(1), math.Inf(-1)
	for end := f.at + span; f.at < end; f.at += each {
		grown := float64(f.rnd.IntN(100))
		f.counter += grown
		if f.rnd.IntN(5000) == 0 {
			f.counter = 0
		} else {
			f.total += grown
		}
		gauge := f.rnd.Float64() * 1000
		f.low, f.high = min(f.low, gauge), max(f.high, gauge)
		b := f.s.Batch(Source{Name: "own"}, f.at)
		b.Add(labels.FromStrings(model.MetricNameLabel, "c"), Counter, f.counter)
		b.Add(labels.FromStrings(model.MetricNameLabel, "g"), Gauge, gauge)
		if err := b.Commit(); err != nil {
			f.t.Fatal(err)
		}
		if f.at-f.maintained >= 20*minute {
			maintain(f.t, f.s, f.at)
			f.maintained = f.at
		}
	}
}

// memory is a folder in which it takes no time to have something on the disk.
func memory(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "gatehouse-test-")
	if err != nil {
		t.Skip("there is no file system in memory here")
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "metrics")
}

// 500 days in one go: blocks become coarser with age and few, what the counter has
// counted can be told as exactly as before, and the lowest and highest of the gauge
// are there; memory and disk stay where they are.
func TestYears(t *testing.T) {
	if testing.Short() {
		t.Skip("a year takes some seconds")
	}
	s := open(t, Options{Dir: memory(t)})
	f := &filler{t: t, s: s, at: began, rnd: rand.New(rand.NewPCG(1, 2))}
	f.run(day+minute, minute) // up to a whole hour, at which a sample stays in every resolution
	base, from := f.total, f.at-minute
	f.run(20*day, minute)
	low, high := f.low, f.high
	counted, to := f.total-base, f.at-minute
	verify := func(what string) {
		t.Helper()
		span := (to - from) / minute
		// The range begins just behind the sample at from, whose value anchors it.
		near(t, what+": the counter", ask(t, s, fmt.Sprintf("increase(c[%dm] anchored)", span), to), counted)
		near(t, what+": the lowest", ask(t, s, fmt.Sprintf("min_over_time(g[%dm])", span), to), low)
		near(t, what+": the highest", ask(t, s, fmt.Sprintf("max_over_time(g[%dm])", span), to), high)
	}
	verify("in minutes")
	f.run(20*day, 5*minute)
	verify("in five minutes")
	if got := ask(t, s, "rate(c[1m])", began+12*day); math.IsNaN(got) {
		t.Error("no rate of a minute is told of what is kept by five")
	}
	f.run(50*day, 30*minute)
	if st := s.Stats(); st.Blocks > 60 {
		t.Errorf("%d blocks", st.Blocks)
	}
	f.run(400*day, 2*hour)
	st := s.Stats()
	if age := f.at - st.Oldest; age < 455*day || age > 500*day {
		t.Errorf("the oldest sample is of %v days ago", age/day)
	}
	if st.Blocks > 80 {
		t.Errorf("%d blocks", st.Blocks)
	}
	if got := ask(t, s, "c", st.Oldest+30*day+17*minute); math.IsNaN(got) {
		t.Error("no value is told of what is kept by the hour")
	}
	t.Logf("%+v", st)
}

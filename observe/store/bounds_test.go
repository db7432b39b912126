package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// Series for which there is no room are left out and counted; those that are there
// stay, and what has ended makes room.
func TestBoundOfSeries(t *testing.T) {
	s := open(t, Options{Series: 100})
	batch := func(at int64, from, n int) {
		t.Helper()
		b := s.Batch(Source{Name: "own"}, at)
		for i := range n {
			b.Add(labels.FromStrings(model.MetricNameLabel, "m", "n", fmt.Sprint(from+i)), Gauge, 1)
		}
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	batch(began, 0, 150)
	if st := s.Stats(); st.Series != 100 || st.Active != 100 || st.Folded != 50 {
		t.Errorf("%+v", st)
	}
	batch(began+1000, 0, 150)
	if st := s.Stats(); st.Series != 100 || st.Folded != 100 {
		t.Errorf("%+v", st)
	}
	// Once those that have ended are in blocks, they make room: some at a time.
	for i := range int64(3) {
		batch(began+(2+2*i)*headWindow, 1000, 3)
		maintain(t, s, began+(2+2*i)*headWindow)
	}
	if st := s.Stats(); st.Series > 100 || st.Active != 3 {
		t.Errorf("%+v", st)
	}
	if got := points(t, s, "m"); len(got) < 100 {
		t.Errorf("%d samples are left", len(got))
	}
}

// What one source may have is bounded apart: it takes no room from others.
func TestBoundOfSource(t *testing.T) {
	s := open(t, Options{})
	b := s.Batch(Source{Name: "push/a", Limit: 10, Lasting: true}, began)
	for i := range 30 {
		b.Add(labels.FromStrings(model.MetricNameLabel, "m", "n", fmt.Sprint(i)), Gauge, 1)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Series != 10 || st.Folded != 20 {
		t.Errorf("%+v", st)
	}
}

// The oldest blocks go where the disk's bound is reached, and never the newest hours.
func TestBoundOfSize(t *testing.T) {
	s := open(t, Options{Dir: memory(t), Size: 200_000})
	var most int64
	for i := range 3000 {
		at := began + int64(i)*2*minute
		b := s.Batch(Source{Name: "own"}, at)
		for n := range 20 {
			b.Add(labels.FromStrings(model.MetricNameLabel, fmt.Sprint("m", n)), Gauge, math.Sin(float64(i*n)))
		}
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			maintain(t, s, at)
			most = max(most, s.Stats().Bytes)
		}
	}
	st := s.Stats()
	if most > 220_000 || st.Bytes > 200_000 {
		t.Errorf("%d bytes at most, %+v", most, st)
	}
	if st.Oldest <= began {
		t.Error("nothing was removed")
	}
	if got := points(t, s, "m1"); len(got) < 100 || got[len(got)-1].t != began+2999*2*minute {
		t.Errorf("%d samples are left", len(got))
	}
}

// A week in which series come and go all the time, with both bounds reached: memory
// and disk stay where they were.
func TestStaysFlat(t *testing.T) {
	s := open(t, Options{Dir: memory(t), Size: 150_000, Series: 400})
	at := int64(began)
	weeks := func(days int64) (heap uint64, disk int64) {
		for end := at + days*day; at < end; at += 10 * minute {
			b := s.Batch(Source{Name: "own", Born: true}, at)
			for n := range int64(200) {
				// A tenth of the series is another one every two hours.
				generation := int64(0)
				if n < 20 {
					generation = at / (2 * hour)
				}
				b.Add(labels.FromStrings(model.MetricNameLabel, "m", "n", fmt.Sprint(n), "generation", fmt.Sprint(generation)), Kind(n%2), float64(at%(day)*n))
			}
			if err := b.Commit(); err != nil {
				t.Fatal(err)
			}
			maintain(t, s, at)
			disk = max(disk, s.Stats().Bytes)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, disk
	}
	first, _ := weeks(2)
	second, disk := weeks(5)
	st := s.Stats()
	t.Logf("heap %d KiB, then %d KiB; disk %d KiB at most; %+v", first>>10, second>>10, disk>>10, st)
	if second > first+1<<20 || disk > 200_000 || st.Series > 400 || st.Active != 200 {
		t.Error("it grows")
	}
}

// A series that is sampled no more ends at once, and a counter that appears began at
// zero.
func TestEndsAndBegins(t *testing.T) {
	s := open(t, Options{})
	since := int64(0)
	batch := func(at int64, names ...string) {
		b := s.Batch(Source{Name: "own", Born: true, Since: since}, began+at)
		for _, n := range names {
			b.Add(labels.FromStrings(model.MetricNameLabel, n), Counter, 5)
		}
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	batch(0, "a")
	batch(10_000, "a", "b")
	batch(20_000, "b")
	if got := ask(t, s, "a", began+20_000); !math.IsNaN(got) {
		t.Errorf("a is %v after its end", got)
	}
	near(t, "b's increase", ask(t, s, "increase(b[20s] anchored)", began+20_000), 5)
	if got := points(t, s, "a"); len(got) != 3 || got[0].v != 5 || !isStale(got[2].v) {
		t.Errorf("a is %v: what is there at the start of the process was not zero before", got)
	}
	batch(30_000, "a", "b")
	if got := points(t, s, "a"); len(got) != 4 || got[3].v != 5 {
		t.Errorf("a, back again, is %v", got)
	}
	since = began + 32_000 // another process, in which all began anew
	batch(40_000, "a", "b")
	near(t, "a's increase", ask(t, s, "increase(a[11s] anchored)", began+40_000), 5)
	again := open(t, Options{Dir: copied(t, s.options.Dir)})
	for _, n := range []string{"a", "b"} {
		want, got := fmt.Sprint(points(t, s, n)), fmt.Sprint(points(t, again, n))
		if want != got {
			t.Errorf("%s is %v, and after a crash %v", n, want, got)
		}
	}
}

// What is broken is set aside, and the rest goes on.
func TestBroken(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "metrics")
	s := open(t, Options{Dir: dir})
	for i := range 300 {
		add(t, s, began+int64(i)*30_000, Counter, map[string]float64{"a": float64(i), "b": 1})
		if i%40 == 39 {
			maintain(t, s, began+int64(i)*30_000)
		}
	}
	maintain(t, s, began+300*30_000)
	_ = s.Close()
	blocks, err := filepath.Glob(filepath.Join(dir, "blocks", "*.block"))
	if err != nil || len(blocks) < 5 {
		t.Fatal(blocks, err)
	}
	change := func(dir, name string, at int64) {
		t.Helper()
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, _ := f.Stat()
		at = (at + info.Size()) % info.Size()
		var b [1]byte
		_, _ = f.ReadAt(b[:], at)
		b[0] ^= 0x55
		if _, err := f.WriteAt(b[:], at); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join("blocks", filepath.Base(blocks[1]))

	foot := copied(t, dir)
	change(foot, name, -40)
	c := open(t, Options{Dir: foot})
	if got := points(t, c, "a"); len(got) != 260 {
		t.Errorf("%d samples without one block of 40", len(got))
	}
	if _, err := os.Stat(filepath.Join(foot, name+".broken")); err != nil {
		t.Error(err)
	}
	record := copied(t, dir)
	change(record, name, 20)
	c = open(t, Options{Dir: record})
	if a, b := points(t, c, "a"), points(t, c, "b"); len(a)+len(b) != 560 {
		t.Errorf("%d and %d samples, one series of one block damaged", len(a), len(b))
	}
	maintain(t, c, began+8*hour) // it does not keep blocks from growing together
	if st := c.Stats(); st.Blocks != 1 {
		t.Errorf("%+v", st)
	}
	names := copied(t, dir)
	change(names, "series", 30)
	c = open(t, Options{Dir: names})
	add(t, c, began+day, Counter, map[string]float64{"a": 7})
	if got := points(t, c, "a"); got[len(got)-1].v != 7 {
		t.Errorf("%v", got)
	}
}

// A disk that takes nothing loses no sample of the last 20 minutes, and once it does
// again nothing is lost to the next start.
func TestDiskFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "metrics")
	s := open(t, Options{Dir: dir})
	add(t, s, began, Gauge, map[string]float64{"a": 0})
	s.writing.Lock()
	_ = s.wal.Close()
	if err := os.Rename(filepath.Join(dir, "wal"), filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "wal"), nil, 0o600); err != nil { // no folder can be made
		t.Fatal(err)
	}
	s.wal.Next()
	s.writing.Unlock()
	b := s.Batch(Source{Name: "own"}, began+1000)
	b.Add(labels.FromStrings(model.MetricNameLabel, "new"), Gauge, 3)
	if err := b.Commit(); err == nil {
		t.Fatal("a disk that takes nothing takes a batch")
	}
	if got := points(t, s, "new"); len(got) != 1 {
		t.Errorf("in memory: %v", got)
	}
	if err := os.Remove(filepath.Join(dir, "wal")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, "wal")); err != nil {
		t.Fatal(err)
	}
	b = s.Batch(Source{Name: "own"}, began+2000)
	b.Add(labels.FromStrings(model.MetricNameLabel, "new"), Gauge, 4)
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	again := open(t, Options{Dir: copied(t, dir)})
	if got := points(t, again, "new"); len(got) != 1 || got[0].v != 4 {
		t.Errorf("after a crash: %v", got)
	}
	if s.Stats().Failed == 0 {
		t.Error("it is not counted")
	}
}

// A clock that goes back keeps nothing from working.
func TestClockGoesBack(t *testing.T) {
	s := open(t, Options{})
	add(t, s, began+hour, Gauge, map[string]float64{"a": 1})
	b := s.Batch(Source{Name: "own"}, began)
	b.Add(labels.FromStrings(model.MetricNameLabel, "a"), Gauge, 2)
	if err := b.Commit(); !errors.Is(err, errLate) {
		t.Errorf("it says %v", err)
	}
	add(t, s, began+hour+1000, Gauge, map[string]float64{"a": 3})
	if got := points(t, s, "a"); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// Reading, writing and maintaining at once, with closing and opening between.
func TestTogether(t *testing.T) {
	s := open(t, Options{Dir: memory(t)})
	add(t, s, began, Counter, map[string]float64{"a": 1})
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for i := 1; i < 400; i++ {
			b := s.Batch(Source{Name: "own"}, began+int64(i)*minute)
			b.Add(labels.FromStrings(model.MetricNameLabel, "a"), Counter, float64(i))
			if err := b.Commit(); err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		}
		close(stop)
	})
	again := func(do func()) {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					do()
				}
			}
		})
	}
	again(func() {
		if err := s.Maintain(context.Background(), time.UnixMilli(began+400*minute)); err != nil && !errors.Is(err, errStopped) {
			t.Error(err)
		}
	})
	again(func() {
		q, err := engine().NewInstantQuery(context.Background(), s.Queryable(0), nil, "increase(a[1h])", time.UnixMilli(began+100*minute))
		if err != nil {
			t.Error(err)
			return
		}
		if r := q.Exec(context.Background()); r.Err != nil && !strings.Contains(r.Err.Error(), ErrClosed.Error()) {
			t.Error(r.Err)
		}
		q.Close()
	})
	again(func() { s.Stats() })
	again(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Open(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Millisecond)
	})
	all.Wait()
}

func TestTooManySeries(t *testing.T) {
	s := open(t, Options{})
	add(t, s, began, Gauge, map[string]float64{"a": 1, "b": 1, "c": 1})
	q, err := s.Queryable(2).Querier(began, began)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	set := q.Select(context.Background(), false, &storage.SelectHints{}, labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".+"))
	var many *TooMany
	if set.Next() || !errors.As(set.Err(), &many) || many.Found != 3 {
		t.Errorf("%v", set.Err())
	}
}

package sampler

import (
	"context"
	"log/slog"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"gatehouse/exchange"
	"gatehouse/observe/store"
)

type point struct {
	at time.Duration // since the first one
	v  float64
}

func read(t *testing.T, s *store.Store, name string, more ...string) (out []point) {
	t.Helper()
	q, err := s.Queryable(0).Querier(0, math.MaxInt64/4)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	matchers := []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, name)}
	for i := 0; i < len(more); i += 2 {
		matchers = append(matchers, labels.MustNewMatcher(labels.MatchEqual, more[i], more[i+1]))
	}
	set := q.Select(context.Background(), true, nil, matchers...)
	var first int64
	for set.Next() {
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			at, v := it.At()
			if first == 0 {
				first = at
			}
			out = append(out, point{time.Duration(at-first) * time.Millisecond, v})
		}
	}
	return out
}

// Samples are at whole multiples of the interval, whatever the clock shows at the
// start; stopping and starting go on with what is there.
func TestSamples(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "metrics")
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "c_total", Help: "C."})
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "h", Help: "H.", Buckets: []float64{1, 2.5}}, []string{"a"})
		reg.MustRegister(c, h)
		st := store.New(store.Options{Dir: dir})
		s := New(Options{Store: st, Gatherer: reg, Log: slog.New(slog.DiscardHandler)})
		time.Sleep(3 * time.Second)
		s.Start()
		s.Start()
		time.Sleep(8 * time.Second) // 11 s: one sample
		c.Add(5)
		h.WithLabelValues("x").Observe(2)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		// It was zero when the process began, at the first sample, and not at the second.
		if got := read(t, st, "c_total"); len(got) != 3 || got[0].v != 0 || got[2] != (point{20 * time.Second, 5}) {
			t.Errorf("%v", got)
		}
		for le, want := range map[string]float64{"1.0": 0, "2.5": 1, "+Inf": 1} {
			// A histogram that appears was zero at the sample before.
			if got := read(t, st, "h_bucket", "a", "x", "le", le); len(got) != 2 || got[0].v != 0 || got[1].v != want {
				t.Errorf("le=%s: %v", le, got)
			}
		}
		if got := read(t, st, "h_sum"); len(got) != 2 || got[1].v != 2 {
			t.Errorf("%v", got)
		}
		if f := st.Families()["h"]; f.Type != "histogram" || f.Help != "H." {
			t.Errorf("%+v", f)
		}
		s.Stop()
		s.Stop()
		if st.Opened() {
			t.Error("it is still open")
		}
		s.SetInterval(time.Second)
		s.Start()
		time.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		if got := read(t, st, "c_total"); len(got) != 6 || got[5].at-got[4].at != time.Second {
			t.Errorf("%v", got)
		}
		time.Sleep(30 * time.Minute) // and blocks are made
		synctest.Wait()
		if st := st.Stats(); st.Blocks == 0 || st.Lost > 0 {
			t.Errorf("%+v", st)
		}
		s.Stop()
	})
}

// A folder that cannot be read is tried again.
func TestTriesAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "metrics")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file in the folder's place
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		st := store.New(store.Options{Dir: dir})
		reg := prometheus.NewRegistry()
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "g", Help: "G."}, func() float64 { return 1 }))
		s := New(Options{Store: st, Gatherer: reg, Interval: time.Second, Log: slog.New(slog.DiscardHandler)})
		s.Start()
		time.Sleep(2500 * time.Millisecond)
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := read(t, st, "g"); len(got) < 5 {
			t.Errorf("%v", got)
		}
		s.Stop()
	})
}

// ended is an exchange that has ended with 200 of a service.
func ended() *exchange.Exchange {
	x, _ := exchange.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), &exchange.Conn{}, nil)
	x.Writer.WriteHeader(200)
	x.Finish()
	x.Upstream.Latency = time.Millisecond
	return x
}

package sampler

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/observe/metrics"
	"gatehouse/observe/store"
)

// BenchmarkSample is one sample of a gateway with 1,000 routes, each with both
// histograms: what it costs every ten seconds, its write to the disk included.
func BenchmarkSample(b *testing.B) {
	m := metrics.New("v1", metrics.Sources{})
	l := m.Begin()
	x := ended()
	for i := range 1000 {
		l.Route(metrics.Key{API: "api", Stage: "prod", Route: fmt.Sprintf("GET /r%d/{id}", i)}).Count(0, x, time.Millisecond)
	}
	l.Commit()
	st := store.New(store.Options{Dir: filepath.Join(b.TempDir(), "metrics"), Log: slog.New(slog.DiscardHandler)})
	if err := st.Open(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	s := New(Options{Store: st, Gatherer: m.Gatherer(), Log: slog.New(slog.DiscardHandler)})
	b.ReportAllocs()
	for b.Loop() {
		s.take(time.Now())
	}
	b.ReportMetric(float64(st.Stats().Active), "series")
}

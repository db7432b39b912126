package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

func series10k() []labels.Labels {
	out := make([]labels.Labels, 10_000)
	for i := range out {
		out[i] = labels.FromStrings(model.MetricNameLabel, "gatehouse_requests_total", "api", "shop", "stage", "prod", "route", fmt.Sprintf("GET /r%d/{id}", i/10), "method", "GET", "code", fmt.Sprint(200+i%10))
	}
	return out
}

// BenchmarkIngest is a batch of 10,000 series, each changed, with its write to the disk.
func BenchmarkIngest(b *testing.B) {
	s := open(b, Options{})
	all := series10k()
	at := int64(began)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		batch := s.Batch(Source{Name: "own"}, at)
		for i, l := range all {
			batch.Add(l, Counter, float64(n*i))
		}
		if err := batch.Commit(); err != nil {
			b.Fatal(err)
		}
		at += 10_000
		if n%120 == 119 {
			b.StopTimer()
			if err := s.Maintain(context.Background(), time.UnixMilli(at)); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "samples/s")
	b.ReportMetric(float64(s.Stats().Bytes)/float64(s.Stats().Samples), "disk-B/sample")
}

// BenchmarkQuery is the rate of 100 series over three hours in a step of a minute, of
// samples every ten seconds.
func BenchmarkQuery(b *testing.B) {
	s := open(b, Options{Dir: memory(b)})
	all := series10k()[:100]
	at := int64(began)
	for ; at < began+3*hour; at += 10_000 {
		batch := s.Batch(Source{Name: "own"}, at)
		for i, l := range all {
			batch.Add(l, Counter, float64(at-began)*float64(i))
		}
		if err := batch.Commit(); err != nil {
			b.Fatal(err)
		}
		maintain(b, s, at)
	}
	e := engine()
	b.ReportAllocs()
	for b.Loop() {
		q, err := e.NewRangeQuery(context.Background(), s.Queryable(0), nil, `sum by (route)(rate(gatehouse_requests_total{api="shop"}[1m]))`, time.UnixMilli(began), time.UnixMilli(at), time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		if r := q.Exec(context.Background()); r.Err != nil {
			b.Fatal(r.Err)
		}
		q.Close()
	}
	b.ReportMetric(float64(b.N)*100*1080/b.Elapsed().Seconds(), "samples/s")
}

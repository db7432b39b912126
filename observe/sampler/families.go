package sampler

import (
	"math"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"gatehouse/observe/store"
)

// writer brings gathered metrics into a batch. Its buffers are used again.
type writer struct {
	batch   *store.Batch
	builder labels.ScratchBuilder
	labels  labels.Labels
}

func newWriter() *writer { return &writer{builder: labels.NewScratchBuilder(16)} }

// family adds every series of a family, as /metrics shows them.
func (w *writer) family(f *dto.MetricFamily) {
	name := f.GetName()
	for _, m := range f.GetMetric() {
		switch f.GetType() {
		case dto.MetricType_COUNTER:
			w.add(name, m, "", "", store.Counter, m.GetCounter().GetValue())
		case dto.MetricType_GAUGE:
			w.add(name, m, "", "", store.Gauge, m.GetGauge().GetValue())
		case dto.MetricType_SUMMARY:
			w.summary(name, m)
		case dto.MetricType_HISTOGRAM:
			w.histogram(name, m)
		default:
			w.add(name, m, "", "", store.Gauge, m.GetUntyped().GetValue())
		}
	}
}

func (w *writer) summary(name string, m *dto.Metric) {
	s := m.GetSummary()
	for _, q := range s.GetQuantile() {
		w.add(name, m, "quantile", labels.FormatOpenMetricsFloat(q.GetQuantile()), store.Gauge, q.GetValue())
	}
	w.add(name+"_sum", m, "", "", store.Counter, s.GetSampleSum())
	w.add(name+"_count", m, "", "", store.Counter, float64(s.GetSampleCount()))
}

func (w *writer) histogram(name string, m *dto.Metric) {
	h := m.GetHistogram()
	endless := false
	for _, b := range h.GetBucket() {
		endless = endless || math.IsInf(b.GetUpperBound(), 1)
		w.add(name+"_bucket", m, "le", labels.FormatOpenMetricsFloat(b.GetUpperBound()), store.Counter, float64(b.GetCumulativeCount()))
	}
	if !endless {
		w.add(name+"_bucket", m, "le", "+Inf", store.Counter, float64(h.GetSampleCount()))
	}
	w.add(name+"_sum", m, "", "", store.Counter, h.GetSampleSum())
	w.add(name+"_count", m, "", "", store.Counter, float64(h.GetSampleCount()))
}

func (w *writer) add(name string, m *dto.Metric, further, value string, k store.Kind, v float64) {
	w.builder.Reset()
	w.builder.Add(model.MetricNameLabel, name)
	for _, p := range m.GetLabel() {
		if p.GetValue() != "" {
			w.builder.Add(p.GetName(), p.GetValue())
		}
	}
	if further != "" {
		w.builder.Add(further, value)
	}
	w.builder.Sort()
	w.builder.Overwrite(&w.labels)
	w.batch.Add(w.labels, k, v)
}

// describe says what is known of a family.
func describe(f *dto.MetricFamily) store.Family {
	kind := strings.ToLower(f.GetType().String())
	if kind == "untyped" {
		kind = "unknown"
	}
	return store.Family{Type: kind, Help: f.GetHelp(), Unit: f.GetUnit()}
}

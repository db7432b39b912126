// Package ingest reads metrics of others, in Prometheus' text format or OpenMetrics,
// within bounds, into the store.
package ingest

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"gatehouse/observe/store"
)

// The bounds of what one text may hold.
const (
	MaxBytes  = 16 << 20
	maxSeries = 50_000
	maxLabels = 32
	maxName   = 200
	maxValue  = 1024
)

// Origin is whom a text is from: the labels job and instance of its series. A label of
// that name in the text becomes exported_job, exported_instance.
type Origin struct {
	Job      string
	Instance string // "" for none
}

// Batch is where samples go to.
type Batch interface {
	Add(labels.Labels, store.Kind, float64)
}

// Outcome is what was read.
type Outcome struct {
	Samples  int
	Reserved int // series left out, since their names are the gateway's own
	Families map[string]store.Family
}

// Read reads a text of a content type ("" for Prometheus' format) into a batch. On an
// error nothing of the batch should be kept. Times in the text are ignored, as are
// native histograms and exemplars.
func Read(text []byte, contentType string, o Origin, b Batch) (Outcome, error) {
	p, err := textparse.New(text, contentType, nil, textparse.ParserOptions{FallbackContentType: "text/plain"})
	if p == nil {
		return Outcome{}, fmt.Errorf("the format of the metrics is not known: %w", err)
	}
	r := &reading{origin: o, batch: b, builder: labels.NewScratchBuilder(16), out: Outcome{Families: make(map[string]store.Family)}}
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return r.out, nil
		}
		if err != nil {
			return r.out, fmt.Errorf("the metrics cannot be read: %w", err)
		}
		if err := r.entry(entry, p); err != nil {
			return r.out, err
		}
	}
}

type reading struct {
	origin  Origin
	batch   Batch
	builder labels.ScratchBuilder
	raw, l  labels.Labels
	out     Outcome
}

func (r *reading) entry(e textparse.Entry, p textparse.Parser) error {
	switch e {
	case textparse.EntryType:
		name, kind := p.Type()
		r.describe(name, func(f *store.Family) { f.Type = string(kind) })
	case textparse.EntryHelp:
		name, help := p.Help()
		r.describe(name, func(f *store.Family) { f.Help = string(help) })
	case textparse.EntryUnit:
		name, unit := p.Unit()
		r.describe(name, func(f *store.Family) { f.Unit = string(unit) })
	case textparse.EntrySeries:
		_, _, value := p.Series()
		p.Labels(&r.raw)
		return r.sample(value)
	}
	return nil
}

func (r *reading) describe(name []byte, set func(*store.Family)) {
	key := string(name)
	f, known := r.out.Families[key]
	if !known && (len(r.out.Families) >= maxSeries || reserved(key) || len(key) > maxName) {
		return
	}
	if f.Type == "" {
		f.Type = "unknown"
	}
	set(&f)
	if len(f.Help) > maxValue {
		f.Help = strings.ToValidUTF8(f.Help[:maxValue], "")
	}
	r.out.Families[key] = f
}

// reserved are names of the gateway's own: nobody else can change what they say.
func reserved(name string) bool { return strings.HasPrefix(name, "gatehouse_") }

func (r *reading) sample(value float64) error {
	name := r.raw.Get(model.MetricNameLabel)
	if reserved(name) {
		r.out.Reserved++
		return nil
	}
	if err := r.check(name); err != nil {
		return err
	}
	if r.out.Samples++; r.out.Samples > maxSeries {
		return fmt.Errorf("more than %d series come at once", maxSeries)
	}
	r.builder.Reset()
	r.raw.Range(func(l labels.Label) {
		switch {
		case l.Value == "":
		case l.Name == model.JobLabel, l.Name == model.InstanceLabel && r.origin.Instance != "":
			r.builder.Add(model.ExportedLabelPrefix+l.Name, l.Value)
		default:
			r.builder.Add(l.Name, l.Value)
		}
	})
	r.builder.Add(model.JobLabel, r.origin.Job)
	if r.origin.Instance != "" {
		r.builder.Add(model.InstanceLabel, r.origin.Instance)
	}
	r.builder.Sort()
	r.builder.Overwrite(&r.l)
	if twice, found := r.l.HasDuplicateLabelNames(); found {
		return fmt.Errorf("the series %s has the label %s twice", name, twice)
	}
	r.batch.Add(r.l, r.kind(name), value)
	return nil
}

func (r *reading) check(name string) error {
	if len(name) > maxName {
		return fmt.Errorf("the name of a metric is longer than %d bytes: it begins with %.40q", maxName, name)
	}
	if n := r.raw.Len(); n > maxLabels {
		return fmt.Errorf("a series of %s has %d labels, at most %d", name, n, maxLabels)
	}
	var err error
	r.raw.Range(func(l labels.Label) {
		if len(l.Name) > maxName || len(l.Value) > maxValue {
			err = fmt.Errorf("a label of %s is too long: %.40q (names have at most %d bytes, values %d)", name, l.Name, maxName, maxValue)
		}
	})
	return err
}

// kind is how a series is thinned out, by its family's type and by what its name says.
func (r *reading) kind(name string) store.Kind {
	base := name
	for _, suffix := range []string{"_bucket", "_sum", "_count", "_total"} {
		if cut, ok := strings.CutSuffix(name, suffix); ok {
			base = cut
			break
		}
	}
	f, known := r.out.Families[name]
	if !known {
		f = r.out.Families[base]
	}
	switch model.MetricType(f.Type) {
	case model.MetricTypeGauge, model.MetricTypeInfo, model.MetricTypeStateset, model.MetricTypeGaugeHistogram:
		return store.Gauge
	case model.MetricTypeCounter:
		return store.Counter
	}
	if base != name {
		return store.Counter
	}
	return store.Gauge
}

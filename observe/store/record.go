package store

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"

	"github.com/prometheus/prometheus/model/labels"
)

// The kinds of records in the log.
const (
	recordSeries  = 1
	recordSamples = 2
)

var errRecord = errors.New("a record of the metrics' log cannot be read")

// maxLabels bounds what a record can make us allocate.
const maxLabels = 1 << 10

// appendDefinition adds a series to a record of series: its number, kind, the times
// of its first and last samples, and its labels.
func appendDefinition(b []byte, m *series) []byte {
	if len(b) == 0 {
		b = append(b, recordSeries)
	}
	b = binary.AppendUvarint(b, m.id)
	b = append(b, byte(m.kind))
	b = binary.AppendVarint(b, m.first)
	b = binary.AppendVarint(b, m.last)
	b = binary.AppendUvarint(b, uint64(m.labels.Len()))
	m.labels.Range(func(l labels.Label) {
		b = appendText(b, l.Name)
		b = appendText(b, l.Value)
	})
	return b
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// encodeSamples returns the record of samples of one time, which are in the order of
// their series' numbers. A value is what it differs in from the last one of its series in
// the same file, so that one that stays takes a byte.
func encodeSamples(t int64, samples []sample) []byte {
	b := make([]byte, 0, 16+4*len(samples))
	b = append(b, recordSamples)
	b = binary.AppendVarint(b, t)
	b = binary.AppendUvarint(b, uint64(len(samples)))
	var last uint64
	for _, p := range samples {
		m := p.series
		now := math.Float64bits(p.value)
		b = binary.AppendUvarint(b, m.id-last)
		b = binary.AppendUvarint(b, bits.ReverseBytes64(now^m.bits))
		last, m.bits = m.id, now
	}
	return b
}

// reader reads a record. Once something is wrong all that follows is zero, and err
// says so.
type reader struct {
	b   []byte
	err error
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	return take(r, v, n)
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	return take(r, v, n)
}

func take[T int64 | uint64](r *reader, v T, n int) T {
	if n <= 0 {
		r.b, r.err = nil, errRecord
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.err = errRecord
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) text() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.b, r.err = nil, errRecord
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// definition is a series as a record says it.
type definition struct {
	id          uint64
	kind        Kind
	first, last int64
	labels      labels.Labels
}

// readDefinitions calls f with each series of a record, behind its first byte.
func readDefinitions(b []byte, f func(definition)) error {
	r := &reader{b: b}
	builder := labels.NewScratchBuilder(16)
	for len(r.b) > 0 {
		d := definition{id: r.uvarint(), kind: Kind(r.byte()), first: r.varint(), last: r.varint()}
		n := r.uvarint()
		if n > maxLabels {
			return errRecord
		}
		builder.Reset()
		for range n {
			name := r.text()
			builder.Add(name, r.text())
		}
		if r.err != nil {
			return r.err
		}
		builder.Sort()
		d.labels = builder.Labels()
		f(d)
	}
	return r.err
}

// readSamples calls f with each sample of a record, behind its first byte: the
// number of its series and what its value's bits differ in.
func readSamples(b []byte, at func(t int64) error, f func(id, diff uint64)) error {
	r := &reader{b: b}
	t, n := r.varint(), r.uvarint()
	if r.err != nil || n > uint64(len(r.b)) {
		return errRecord
	}
	if err := at(t); err != nil {
		return err
	}
	var id uint64
	for range n {
		id += r.uvarint()
		diff := bits.ReverseBytes64(r.uvarint())
		if r.err != nil {
			return r.err
		}
		f(id, diff)
	}
	return nil
}

package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"math"
	"os"

	"gatehouse/observe/store/wal"
	"gatehouse/private"
)

// The file of the series: magic, the last number that was given, a record of all
// series, and a checksum of the whole.
const seriesMagic = "gthsser1"

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// loadSeries reads the file of the series. Without it blocks cannot be told: one
// that is broken is set aside, and what follows is kept anew.
func (s *Store) loadSeries() error {
	text, err := os.ReadFile(s.seriesPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.readSeries(text); err != nil {
		s.log.Error("the file of the metrics' series is broken: metrics kept so far cannot be told apart and are set aside", slog.String("file", s.seriesPath()), slog.Any("error", err))
		s.table = newTable()
		return s.setAside()
	}
	return nil
}

func (s *Store) readSeries(text []byte) error {
	body, ok := bytes.CutPrefix(text, []byte(seriesMagic))
	if !ok || len(body) < 12 {
		return errRecord
	}
	body, sum := body[:len(body)-4], body[len(body)-4:]
	if checksum(body) != binary.LittleEndian.Uint32(sum) {
		return errRecord
	}
	last, record := binary.LittleEndian.Uint64(body), body[8:]
	err := error(nil)
	if len(record) > 0 {
		err = readDefinitions(record[1:], func(d definition) { s.know(d).saved = true })
	}
	s.table.last = max(s.table.last, last)
	return err
}

func (s *Store) know(d definition) *series {
	m := s.table.add(d.id, d.labels, d.kind)
	m.first, m.last = d.first, max(m.last, d.last)
	return m
}

// setAside takes blocks away whose series nobody knows, by another name.
func (s *Store) setAside() error {
	err := os.Rename(s.seriesPath(), s.seriesPath()+".broken")
	for _, b := range s.blocks {
		err = errors.Join(err, os.Rename(b.Path(), b.Path()+".broken"))
	}
	s.releaseBlocks()
	return err
}

// saveSeries writes the file of the series.
func (s *Store) saveSeries() error {
	text, written := s.seriesFile()
	if err := private.Replace(s.seriesPath(), text); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range written {
		m.saved = true
	}
	return nil
}

func (s *Store) seriesFile() (text []byte, written []*series) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var record []byte
	for _, m := range s.table.all {
		record = appendDefinition(record, m)
		written = append(written, m)
	}
	body := binary.LittleEndian.AppendUint64(nil, s.table.last)
	body = append(body, record...)
	text = append([]byte(seriesMagic), body...)
	return binary.LittleEndian.AppendUint32(text, checksum(body)), written
}

// replay reads the log into the head, but for what is in a block already.
func (s *Store) replay() error {
	numbers, err := wal.Segments(s.walDir())
	if err != nil {
		return err
	}
	defer func() { s.reading = 0 }()
	for i, number := range numbers {
		s.reading = number
		for _, m := range s.table.all {
			m.bits = 0
		}
		r := &replaying{store: s, done: s.blocksEnd(), ids: make(map[uint64]*series)}
		torn, err := wal.Read(s.walDir(), number, r.record)
		if errors.Is(err, errRecord) {
			torn, err = true, nil
		}
		if err != nil {
			return err
		}
		if torn && i < len(numbers)-1 {
			s.log.Warn("a file of the metrics' log ends in the middle of a record: what it lacks is lost", slog.Uint64("segment", number))
		}
	}
	for _, m := range s.table.all {
		m.bits = 0
	}
	s.undefined = true // a definition may have been cut off
	return nil
}

// blocksEnd is the time up to which blocks of samples as they came have everything.
func (s *Store) blocksEnd() (end int64) {
	for _, b := range s.blocks {
		end = max(end, b.Max)
	}
	return end
}

// replaying is one file of the log that is read.
type replaying struct {
	store *Store
	done  int64
	ids   map[uint64]*series // numbers that records say, whatever the table calls them
	t     int64
}

func (r *replaying) record(b []byte) error {
	if len(b) == 0 {
		return errRecord
	}
	switch b[0] {
	case recordSeries:
		return readDefinitions(b[1:], func(d definition) {
			m := r.store.table.find(d.labels.Hash(), d.labels)
			if m == nil {
				m = r.store.know(d)
			}
			r.ids[d.id] = m
		})
	case recordSamples:
		return readSamples(b[1:], r.at, r.sample)
	}
	return errRecord
}

// at begins the samples of a time. More windows than memory holds become blocks at
// once.
func (r *replaying) at(t int64) error {
	s := r.store
	r.t = t
	if t < r.done || t < s.head.window {
		return nil
	}
	if s.head.pending > 0 && s.head.window > 0 && t-t%headWindow != s.head.window {
		b, err := s.writeHead(s.pendingPieces(), s.head.pending)
		if err != nil {
			return err
		}
		s.headWritten(b)
	}
	s.advance(t)
	s.head.last = max(s.head.last, t)
	return nil
}

func (r *replaying) sample(id, diff uint64) {
	m := r.ids[id]
	if m == nil {
		if m = r.store.table.all[id]; m == nil {
			return
		}
		r.ids[id] = m
	}
	m.bits ^= diff
	if r.t < r.done || r.t < r.store.head.window || m.now.chunk != nil && r.t <= m.now.max || m.now.full() {
		return
	}
	m.now.append(r.t, math.Float64frombits(m.bits))
	m.last = max(m.last, r.t)
}

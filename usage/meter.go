package usage

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"
)

// window is how much was used in one period of the calendar.
type window struct {
	Per   Period `json:"p"`
	Begin int64  `json:"b"` // Unix seconds
	Used  int64  `json:"u"`
}

// meter counts what one key has used. It remembers two windows, so that a clock
// that is set forth and back loses none.
type meter struct {
	mu      sync.Mutex
	own     [2]window
	current int                  // which of own
	end     int64                // of the current window, Unix seconds
	others  map[string][2]window // by gateway, where several share the state
	fresh   int64                // uses since they were last stored or collected
}

// take counts one use where fewer than most are used, and returns how many are
// left and when the period ends.
func (m *meter) take(q *Quota, now time.Time) (left int64, end time.Time, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.at(q.Per, now)
	left = q.Limit - w.Used - m.elsewhere(w)
	end = time.Unix(m.end, 0)
	if left <= 0 {
		return 0, end, false
	}
	w.Used++
	m.fresh++
	return left - 1, end, true
}

// used returns what all gateways have counted in the period of now.
func (m *meter) used(per Period, now time.Time) (n int64, begin, end time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.at(per, now)
	return w.Used + m.elsewhere(w), time.Unix(w.Begin, 0).UTC(), time.Unix(m.end, 0).UTC()
}

// at returns the window that now lies in. Under mu.
func (m *meter) at(per Period, now time.Time) *window {
	w := &m.own[m.current]
	if at := now.Unix(); w.Per == per && at >= w.Begin && at < m.end {
		return w
	}
	begin, end := per.Bounds(now)
	m.end = end.Unix()
	for i := range m.own {
		if m.own[i].Per == per && m.own[i].Begin == begin.Unix() {
			m.current = i
			return &m.own[i]
		}
	}
	m.current = 1 - m.current // the one that was left longest ago gives way
	m.own[m.current] = window{Per: per, Begin: begin.Unix()}
	return &m.own[m.current]
}

func (m *meter) elsewhere(w *window) (n int64) {
	for _, windows := range m.others {
		for _, o := range windows {
			if o.Per == w.Per && o.Begin == w.Begin {
				n += o.Used
			}
		}
	}
	return n
}

// merge takes what was stored by this gateway: counts only grow.
func (m *meter) merge(stored [2]window) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range stored {
		if s.Per != "" && m.raise(s) {
			m.end = 0 // the window is looked up anew
		}
	}
}

// raise reports whether a stored window says more than is known. Under mu.
func (m *meter) raise(s window) bool {
	for i := range m.own {
		w := &m.own[i]
		if w.Per == s.Per && w.Begin == s.Begin {
			more := s.Used > w.Used
			w.Used = max(w.Used, s.Used)
			return more
		}
	}
	for _, i := range []int{1 - m.current, m.current} {
		if m.own[i].Per == "" {
			m.own[i] = s
			return true
		}
	}
	return false
}

// meters are all meters, in parts that are stored as one row each.
type meters struct{ parts [shards]meterPart }

type meterPart struct {
	mu    sync.RWMutex
	keys  map[string]*meter
	dirty atomic.Bool
}

func newMeters() *meters {
	m := &meters{}
	for i := range m.parts {
		m.parts[i].keys = make(map[string]*meter)
	}
	return m
}

// of returns the meter of a key.
func (m *meters) of(id string) *meter {
	p := m.partOf(id)
	p.mu.RLock()
	meter := p.keys[id]
	p.mu.RUnlock()
	if meter == nil {
		return p.make(id)
	}
	return meter
}

func (p *meterPart) make(id string) *meter {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.keys[id]; m != nil {
		return m
	}
	m := &meter{}
	p.keys[id] = m
	return m
}

// partOf returns the part that a key is in: the same on all gateways, and after a
// restart (FNV-1a).
func (m *meters) partOf(id string) *meterPart {
	h := uint32(2166136261)
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return &m.parts[h%shards]
}

func (m *meters) drop(id string) {
	p := m.partOf(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, there := p.keys[id]; there {
		delete(p.keys, id)
		p.dirty.Store(true)
	}
}

// usageRow is what is stored of a part: the windows of each key.
type usageRow map[string][2]window

// stored returns the part's row, without what ended long ago.
func (p *meterPart) stored(now time.Time) []byte {
	p.mu.RLock()
	defer p.mu.RUnlock()
	row := make(usageRow)
	for id, m := range p.keys {
		m.mu.Lock()
		m.fresh = 0
		var kept [2]window
		for i, w := range m.own {
			if w.Used > 0 && now.Unix()-w.Begin < int64(2*w.Per.length()/time.Second) {
				kept[i] = w
			}
		}
		m.mu.Unlock()
		if kept[0].Used+kept[1].Used > 0 {
			row[id] = kept
		}
	}
	text, _ := json.Marshal(row)
	return text
}

package usage

// Uses are what a process that was taken over has counted, by key.
type Uses map[string]Fresh

// Fresh is how much of a key's quota was used in one period.
type Fresh struct {
	Per   Period `json:"per"`
	Begin int64  `json:"begin"` // Unix seconds
	Used  int64  `json:"used"`
}

// Collect returns what was used since it was last stored or collected.
func (k *Keeper) Collect() Uses {
	out := make(Uses)
	for i := range k.meters.parts {
		p := &k.meters.parts[i]
		p.mu.RLock()
		for id, m := range p.keys {
			m.mu.Lock()
			if w := &m.own[m.current]; m.fresh > 0 && w.Per != "" {
				out[id] = Fresh{w.Per, w.Begin, m.fresh}
			}
			m.fresh = 0
			m.mu.Unlock()
		}
		p.mu.RUnlock()
	}
	return out
}

// Return gives back what Collect returned, to be collected again.
func (k *Keeper) Return(uses Uses) {
	for id, u := range uses {
		m := k.meters.of(id)
		m.mu.Lock()
		m.fresh += u.Used
		m.mu.Unlock()
	}
}

// Add counts what a process has collected that was taken over.
func (k *Keeper) Add(uses Uses) {
	for id, u := range uses {
		if u.Used <= 0 || !k.index.knows(id) {
			continue
		}
		m := k.meters.of(id)
		m.mu.Lock()
		m.add(u)
		m.mu.Unlock()
		k.meters.partOf(id).dirty.Store(true)
	}
}

// add counts uses in their period. Under mu.
func (m *meter) add(u Fresh) {
	for i := range m.own {
		if w := &m.own[i]; w.Per == u.Per && w.Begin == u.Begin {
			w.Used += u.Used
			return
		}
	}
	m.raise(window(u))
	m.end = 0 // the window is looked up anew
}

// knows reports whether there is a key with an id.
func (x *index) knows(id string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.byID[id] != nil
}

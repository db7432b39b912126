package state

// News are rows that have changed since a revision, for a process that was taken
// over: secrets among them as they are stored.
type News struct {
	Rows []Change `json:"rows,omitempty"`
	At   uint64   `json:"at"` // the highest revision there is
}

// Change is a row that has changed.
type Change struct {
	Key      string `json:"key"`
	Value    []byte `json:"value,omitempty"`
	Revision uint64 `json:"revision"`
	Gone     bool   `json:"gone,omitempty"`
}

// News returns what has changed since a revision.
func (s *Store) News(since uint64) News {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := News{At: since}
	for prefix, t := range s.tables {
		for id, r := range t.rows {
			if r.revision > since {
				n.Rows = append(n.Rows, Change{prefix + id, r.value, r.revision, r.gone})
				n.At = max(n.At, r.revision)
			}
		}
	}
	return n
}

// Revision returns the highest revision that is known.
func (s *Store) Revision() (at uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tables {
		for _, r := range t.rows {
			at = max(at, r.revision)
		}
	}
	return at
}

// Hear makes hold what the process says that has the engine now. The Store is
// closed.
func (s *Store) Hear(n News) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range n.Rows {
		if t, id := s.tableOf(c.Key); t != nil {
			t.apply(id, c.Value, c.Revision, c.Gone)
		}
	}
}

package target

import "time"

// adopt notes a connection, so that a drain can find it.
func (e *Endpoint) adopt(c *Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c.place = len(e.all)
	e.all = append(e.all, c)
	if e.retired && e.drain == nil {
		e.drain = time.AfterFunc(e.limit, e.cut)
	}
}

// disown forgets a connection that is closed.
func (e *Endpoint) disown(c *Conn) {
	e.mu.Lock()
	last := e.all[len(e.all)-1]
	e.all[c.place], last.place = last, c.place
	e.all[len(e.all)-1] = nil
	e.all = e.all[:len(e.all)-1]
	if len(e.all) == 0 && e.drain != nil {
		e.drain.Stop()
		e.drain = nil
	}
	e.mu.Unlock()
	e.open.Add(-1)
}

// retire closes what idles and keeps nothing any more. Requests under way finish
// on the connections that they have, and so do tunnels, unless that takes longer
// than limit. It is called once.
func (e *Endpoint) retire(limit time.Duration) {
	e.mux.retire()
	e.mu.Lock()
	idle := e.idle
	e.idle, e.retired, e.limit = nil, true, limit
	if e.sweeper != nil {
		e.sweeper.Stop()
	}
	if len(e.all) > len(idle) {
		e.drain = time.AfterFunc(limit, e.cut)
	}
	e.mu.Unlock()
	for _, c := range idle {
		c.Discard()
	}
}

// cut ends what a drain has left: whoever reads or writes there fails.
func (e *Endpoint) cut() {
	e.mu.Lock()
	left := make([]*Conn, len(e.all))
	copy(left, e.all)
	e.drain = nil
	e.mu.Unlock()
	for _, c := range left {
		_ = c.carrier.Close() // not the layer above, which would wait for a writer
	}
}

package http1

import (
	"net"
	"sync"
	"time"
)

// deadline is the connection's read deadline. Setting it costs as much as
// parsing a small request, so one that is only a little later than wanted
// stays.
type deadline struct {
	conn net.Conn

	mu    sync.Mutex
	until time.Time // as it was set; zero for none
	own   bool      // a handler set it: it is not ours to move until the request ends
}

// atLeast makes reading fail between patience and a quarter more from now.
func (d *deadline) atLeast(now time.Time, patience time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	due, slack := now.Add(patience), patience/4
	if d.own || !d.until.Before(due) && d.until.Sub(due) <= slack {
		return
	}
	d.set(due.Add(slack))
}

// at makes reading fail at t, never for the zero time; unless a handler has the
// say, which it reports.
func (d *deadline) at(t time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.own {
		d.set(t)
	}
	return !d.own
}

// notAfter is at where reading would fail later than t.
func (d *deadline) notAfter(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.own && (d.until.IsZero() || d.until.After(t)) {
		d.set(t)
	}
}

// take is at for a handler, which then has the say until release.
func (d *deadline) take(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.own, d.until = true, t
	return d.conn.SetReadDeadline(t)
}

// past makes reading fail at once, whoever has the say.
func (d *deadline) past() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.set(time.Unix(1, 0))
}

// release ends what a handler said. What holds then is not known.
func (d *deadline) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.own, d.until = false, time.Time{}
}

func (d *deadline) set(t time.Time) {
	d.until = t
	_ = d.conn.SetReadDeadline(t)
}

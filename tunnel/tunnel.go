package tunnel

import (
	"sync"
	"sync/atomic"
	"time"
)

// The times that a tunnel's end may take.
const (
	farewell = 2 * time.Second  // for the answers to the Close frames that it was ended by
	linger   = 10 * time.Second // for one direction after the other has ended, without a byte
)

// tunnel is two connections joined.
type tunnel struct {
	limits Limits
	began  time.Time
	moved  atomic.Int64  // when a byte passed last, since began
	up     direction     // from the client
	down   direction     // to it
	pipes  *atomic.Int32 // of all tunnels

	mu    sync.Mutex
	timer *time.Timer
	end   End  // why it ends; "" while it does not
	said  bool // that it was ended by Close frames
	half  bool // one direction has ended
}

func newTunnel(client, service Side, l Limits) *tunnel {
	t := &tunnel{limits: l, began: time.Now()}
	c, s := newSide(client), newSide(service)
	t.up = direction{tunnel: t, src: c, dst: s, by: ByClient, against: ByService, masked: true}
	t.down = direction{tunnel: t, src: s, dst: c, by: ByService, against: ByClient}
	return t
}

// run passes bytes until both directions have ended.
func (t *tunnel) run() {
	t.mu.Lock()
	patience := t.patience()
	if t.said { // before it began
		patience = farewell
	}
	t.timer = time.AfterFunc(patience, t.due)
	t.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.up.run()
	}()
	t.down.run()
	<-done
	t.timer.Stop()
	t.kill()
}

// touch notes that a byte has passed.
func (t *tunnel) touch() { t.moved.Store(int64(time.Since(t.began))) }

// patience is how long nothing has to be looked at.
func (t *tunnel) patience() time.Duration {
	age := time.Since(t.began)
	idle := t.limits.Idle
	if t.half {
		idle = min(idle, linger)
	}
	d := min(t.limits.MaxAge-age, idle-(age-time.Duration(t.moved.Load())))
	if !t.limits.Until.IsZero() {
		d = min(d, time.Until(t.limits.Until))
	}
	return d
}

// due is called when the tunnel's time may be over.
func (t *tunnel) due() {
	t.mu.Lock()
	d := t.patience()
	switch {
	case t.said || d <= 0 && t.half:
		t.mu.Unlock()
		t.kill()
		return
	case d > 0:
		t.timer.Reset(d)
		t.mu.Unlock()
		return
	}
	t.mu.Unlock()
	t.finish(t.overdue())
}

// overdue says which limit was reached.
func (t *tunnel) overdue() End {
	switch {
	case !t.limits.Until.IsZero() && !time.Now().Before(t.limits.Until):
		return Expired
	case time.Since(t.began) >= t.limits.MaxAge:
		return Age
	}
	return Idle
}

// finish ends the tunnel by Close frames to both sides, and by force where
// these are not answered in time.
func (t *tunnel) finish(end End) {
	t.mu.Lock()
	if t.said {
		t.mu.Unlock()
		return
	}
	if t.end == "" {
		t.end = end
	}
	t.said = true
	if t.timer != nil {
		t.timer.Reset(farewell)
	}
	t.mu.Unlock()
	code, text := uint16(goingAway), texts(end)
	if end == Expired {
		code = violation
	}
	t.down.close(code, text)
	t.up.close(code, text)
}

// texts are what Close frames say to people.
func texts(end End) string {
	switch end {
	case Idle:
		return "idle"
	case Age:
		return "open for too long"
	case Expired:
		return "the credential has expired"
	}
	return "the gateway is stopping"
}

// note says who has ended the tunnel, unless that is known.
func (t *tunnel) note(end End) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.end == "" {
		t.end = end
	}
}

func (t *tunnel) why() End {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.end
}

// halved says that one direction has ended: the other one has little time
// left.
func (t *tunnel) halved() {
	t.touch()
	if t.up.bye.Load() && t.down.bye.Load() {
		t.kill() // nothing follows (RFC 6455 section 7.1.1)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.half && !t.said {
		t.half = true
		t.timer.Reset(max(t.patience(), 0))
	}
}

// kill ends both directions at once.
func (t *tunnel) kill() {
	_ = t.up.src.Close()
	_ = t.down.src.Close()
}

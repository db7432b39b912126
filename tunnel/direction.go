package tunnel

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// direction passes bytes from one side of a tunnel to the other.
type direction struct {
	tunnel   *tunnel
	src, dst *side
	by       End  // who ends the tunnel where src does
	against  End  // and where dst does
	masked   bool // dst is a service, to which frames are masked
	bytes    atomic.Int64
	copies   bool // there was no pipe to be had

	mu      sync.Mutex // held by who writes to dst
	frames  frames
	last    []byte // the Close frame to write; read once closing is set
	closing atomic.Bool
	bye     atomic.Bool // a Close frame of src's has passed
	closed  bool        // it was written: nothing else follows
}

// run passes bytes until src or dst ends.
func (d *direction) run() {
	defer d.tunnel.halved()
	defer d.src.recycle()
	for {
		if d.splices() {
			if !d.passUnseen() {
				return
			}
			continue
		}
		p, err := d.src.next()
		if len(p) > 0 && !d.take(p) {
			return
		}
		if err != nil {
			d.over(err)
			return
		}
	}
}

// over is what follows where src has ended, or failed.
func (d *direction) over(err error) {
	d.tunnel.note(d.by)
	if err != io.EOF || d.dst.CloseWrite() != nil { // it has no halves
		d.tunnel.kill()
	}
}

// take passes p on, and reports whether more is wanted.
func (d *direction) take(p []byte) bool {
	d.tunnel.touch()
	d.mu.Lock()
	more := d.pass(p)
	d.mu.Unlock()
	d.hurry()
	return more
}

// pass is take with mu held. Once the Close frame was written, what comes is
// only looked through for its answer.
func (d *direction) pass(p []byte) bool {
	for len(p) > 0 {
		n := d.frames.step(p)
		if !d.closed {
			n += d.gather(p[n:])
			d.noteBye() // before dst hears of it, and may end what it answers
			if !d.write(p[:n]) {
				return false
			}
			d.sayLast()
		}
		p = p[n:]
	}
	if d.frames.closed {
		d.noteBye()
		d.bye.Store(true)
		return !d.closed
	}
	return true
}

// noteBye notes who ended the tunnel, once a Close frame was seen.
func (d *direction) noteBye() {
	if d.frames.closed {
		d.tunnel.note(d.by)
	}
}

// gather follows what else of p can be written at once: all of it, unless a
// Close frame waits for the end of this frame.
func (d *direction) gather(p []byte) int {
	total := 0
	for total < len(p) && !d.closing.Load() {
		total += d.frames.step(p[total:])
	}
	return total
}

func (d *direction) write(p []byte) bool {
	n, err := d.dst.Write(p)
	d.bytes.Add(int64(n))
	if err != nil {
		d.tunnel.note(d.against)
		d.tunnel.kill()
		return false
	}
	return true
}

// close makes a Close frame the last thing that is written to dst, as soon as
// the frame under way has ended.
func (d *direction) close(code uint16, text string) {
	d.last = closeFrame(code, text, d.masked)
	d.closing.Store(true)
	d.hurry()
}

// hurry writes the Close frame that waits, unless somebody else writes, who
// will.
func (d *direction) hurry() {
	if d.closing.Load() && d.mu.TryLock() {
		d.sayLast()
		d.mu.Unlock()
	}
}

// sayLast is called with mu held.
func (d *direction) sayLast() {
	if d.closed || !d.closing.Load() || !d.frames.between() {
		return
	}
	d.closed = true
	if d.frames.closed {
		return // dst has had one
	}
	_ = d.dst.SetWriteDeadline(time.Now().Add(farewell))
	_, _ = d.dst.Write(d.last)
}

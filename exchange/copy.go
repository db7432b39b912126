package exchange

import "io"

// Copy is what a request's body brings, kept for somebody who wants it beside
// the target: it never reads by itself, and it gives up where it would be in
// the way. It outlives the request until it is freed.
type Copy struct {
	limit    int64
	declared int64
	budget   *Budget
	reserved int64
	buf      []byte
	complete bool
	err      error // why it was given up
}

// Copy begins to keep what Read hands out, from the body's first byte, up to
// limit bytes and while the budget for bodies is less than half used: those who
// need it for the request itself come first. To be called before anything is
// passed on by Read, once; Free follows.
func (b *Body) Copy(limit int64) *Copy {
	c := &Copy{limit: limit, declared: b.declared, budget: b.budget}
	switch {
	case b.passed || b.off > 0:
		c.err = ErrBodyGone
	case b.declared > limit:
		c.err = ErrBodyTooLarge
	case b.declared == 0:
		c.complete = true
	default:
		b.copy = c
	}
	return c
}

// Bytes returns the whole body; where it was not read whole, an error says why:
// ErrBodyTooLarge, ErrBodyBudget, or ErrBodyGone where somebody stopped reading.
// It is not called while the body is being read.
func (c *Copy) Bytes() ([]byte, error) {
	switch {
	case c.err != nil:
		return nil, c.err
	case !c.complete:
		return nil, ErrBodyGone
	}
	return c.buf, nil
}

// Free gives the memory back. The bytes are not used any more.
func (c *Copy) Free() {
	c.budget.give(c.reserved)
	c.reserved, c.buf = 0, nil
}

// note keeps what was handed out of the body, from byte at on. What was handed
// out before, to an attempt that is made again, is there already.
func (c *Copy) note(at int64, p []byte, end error) {
	if c.err != nil || c.complete {
		return
	}
	have := int64(len(c.buf))
	if at > have {
		c.give(ErrBodyGone)
		return
	}
	if known := have - at; known < int64(len(p)) {
		c.keep(p[known:])
	}
	if c.err == nil && (end == io.EOF || c.declared >= 0 && int64(len(c.buf)) == c.declared) {
		c.complete = true
	}
}

func (c *Copy) keep(p []byte) {
	need := int64(len(c.buf) + len(p))
	if need > c.limit {
		c.give(ErrBodyTooLarge)
		return
	}
	if need > int64(cap(c.buf)) {
		size := min(max(need, 2*int64(cap(c.buf)), bodyStep), c.limit)
		if c.declared > 0 {
			size = min(size, c.declared)
		}
		if !c.budget.takeSpare(size - c.reserved) {
			c.give(ErrBodyBudget)
			return
		}
		c.reserved = size
		c.buf = append(make([]byte, 0, size), c.buf...)
	}
	c.buf = append(c.buf, p...)
}

// give gives the copy up.
func (c *Copy) give(err error) {
	c.err = err
	c.Free()
}

// takeSpare is take for what nobody waits for: half of the budget is not for it.
func (b *Budget) takeSpare(n int64) bool {
	if b == nil {
		return true
	}
	if b.used.Add(n) <= b.limit.Load()/2 {
		return true
	}
	b.used.Add(-n)
	return false
}

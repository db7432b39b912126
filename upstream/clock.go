package upstream

import (
	"context"
	"errors"
	"os"
	"time"
)

// slice is how long a request waits, or four times as long, before anybody looks after it. Most are
// answered by then; the others get their real deadlines, and somebody who
// watches whether their client is still there.
const slice = 10 * time.Millisecond

// The reasons for which waiting ends, beside the connection's own.
var (
	errGone   = errors.New("the client went away")
	errUpload = errors.New("the request's body could not be read")
	errAnswer = errors.New("no answer in time")
	errIdle   = errors.New("the body stalled")
	errRoute  = errors.New("the route's deadline passed")
)

// clock is what a call's deadlines are reckoned from.
type clock struct {
	sent  time.Time // when the request began to be sent
	body  bool      // the answer's head is there
	live  bool      // it is a stream: the route's timeout is over
	moved time.Time // when the body was last waited for; while watched
	until time.Time // what the connection's read deadline was set to; while watched
}

// Read implements io.Reader: it is where the answer comes from.
func (c *call) Read(p []byte) (int, error) {
	if c.unflushed {
		c.unflushed = false
		if err := c.x.Writer.FlushError(); err != nil {
			return 0, errGone
		}
	}
	if c.gone != nil && c.clock.body {
		if err := c.moved(); err != nil {
			return 0, err
		}
	}
	for {
		n, err := c.conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if err := c.waited(); err != nil {
			return 0, err
		}
	}
}

// waited decides what to do after a read deadline: wait on, or why not.
func (c *call) waited() error {
	now := time.Now()
	if c.asking && now.Sub(c.clock.sent) >= continueWait {
		c.proceed()
	}
	if c.gone == nil {
		c.clock.moved = now
		conn := c.conn.Conn
		c.gone = context.AfterFunc(c.x.Parent(), func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	}
	return c.arm(now)
}

// moved notes that the body is waited for anew. The deadline is set again only
// where it has come an eighth nearer.
func (c *call) moved() error {
	now := time.Now()
	c.clock.moved = now
	if idle := c.idle(); c.clock.until.Sub(now) > idle-idle/8 {
		return nil
	}
	return c.arm(now)
}

// arm sets the read deadline anew, or returns why there is no waiting any
// more. Who breaks the deadline from elsewhere says why first, and so is seen
// here if the deadline was overwritten.
func (c *call) arm(now time.Time) error {
	until, why := c.patience(now)
	if d, ok := c.x.Deadline(); ok && !c.clock.live && d.Before(until) {
		until, why = d, errRoute
	}
	c.clock.until = until
	c.conn.WaitUntil(until)
	switch {
	case c.x.Parent().Err() != nil:
		return errGone
	case c.upload != nil && c.upload.failed.Load():
		return errUpload
	case !now.Before(until):
		return why
	}
	return nil
}

// patience returns until when the service may take for what comes next. While
// the request is still being sent it may take its time for the answer.
func (c *call) patience(now time.Time) (time.Time, error) {
	t := c.Service.config.Timeouts
	if c.clock.body {
		return c.clock.moved.Add(c.idle()), errIdle
	}
	from := c.clock.sent
	if c.asking {
		return from.Add(continueWait), errAnswer // later, waited has asked for the body
	}
	if c.upload != nil {
		from = now
		if at := c.upload.finished.Load(); at != 0 {
			from = time.Unix(0, at)
		}
	}
	return from.Add(t.Answer.D()), errAnswer
}

// idle is how long nothing of the answer's body may come.
func (c *call) idle() time.Duration {
	if c.clock.live {
		return c.Service.config.Timeouts.Stream.D()
	}
	return c.Service.config.Timeouts.Idle.D()
}

// connectContext bounds connecting. It ends when the client goes away, so that
// nobody is connected to for nothing.
func (c *call) connectContext(now time.Time) (context.Context, context.CancelFunc) {
	until := now.Add(c.Service.config.Timeouts.Connect.D())
	if d, ok := c.x.Deadline(); ok && d.Before(until) {
		until = d
	}
	return context.WithDeadline(c.x.Parent(), until)
}

package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// grace is how long after the end of a paced measurement answers are waited
// for.
const grace = time.Second

// patience is how long the crowd waits before it looks at the phase again.
const patience = 5 * time.Millisecond

// crowd is all connections of a load over plain HTTP/1.1, driven by one thread.
// Without a schedule each sends its next request when the last one is answered;
// with one, requests go out when they are due, on the connection that has been
// free the longest, or as soon as one is. Their latency counts from when they
// were due: a proxy that stalls is charged with every request that came
// meanwhile.
type crowd struct {
	w        *worker
	to       netip.AddrPort
	poller   *poller
	members  []member
	scratch  []byte
	began    time.Time
	schedule *schedule
	free     []int // members without a request, the longest free first
	flying   int   // members with one
	repairs  int

	from, until time.Duration // the measurement; zero before it begins and ends
}

// member is one connection.
type member struct {
	fd     int
	answer answer
	next   int
	busy   bool
	due    time.Duration // of the request in flight
	idle   time.Duration // since when it is free
}

// run drives the connections until the measurement ends.
func (c *crowd) run() error {
	ownThread()
	var err error
	if c.poller, err = newPoller(); err != nil {
		return err
	}
	defer c.close()
	if err := c.open(); err != nil {
		return err
	}
	for {
		now := time.Since(c.began)
		c.turn(now)
		if c.over(now) {
			c.settle(now)
			return nil
		}
		wait, err := c.sendDue(now)
		if err != nil {
			return err
		}
		events, err := c.poller.wait(wait)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := c.receive(int(e.Fd)); err != nil {
				return err
			}
		}
	}
}

func (c *crowd) close() {
	for i := range c.members {
		if c.members[i].fd >= 0 {
			unix.Close(c.members[i].fd)
		}
	}
	c.poller.close()
}

func (c *crowd) open() error {
	var err error
	if c.to, err = netip.ParseAddrPort(c.w.load.address); err != nil {
		return err
	}
	c.scratch = make([]byte, scratchSize)
	c.members = make([]member, c.w.load.connections)
	for i := range c.members {
		c.members[i] = member{fd: -1, answer: answer{want: c.w.load.body}, next: c.w.load.firstOf(i)}
	}
	for i := range c.members {
		if err := c.connect(i); err != nil {
			return err
		}
	}
	c.began = time.Now()
	if rate := c.w.load.rate; rate > 0 {
		c.schedule = newSchedule(rate, c.w.load.seed)
	}
	for i := range c.members {
		if err := c.ready(i, 0); err != nil {
			return err
		}
	}
	return nil
}

func (c *crowd) connect(i int) error {
	fd, err := connectFrom(sourceOf(i), c.to)
	if err != nil {
		return err
	}
	c.members[i].fd = fd
	return c.poller.watch(fd, int32(i), unix.EPOLLIN)
}

// ready gives a connection without a request its next one, or has it wait.
func (c *crowd) ready(i int, now time.Duration) error {
	c.members[i].idle = now
	if c.schedule != nil {
		c.free = append(c.free, i)
		return nil
	}
	return c.send(i, now)
}

// turn notes when the measurement begins and ends.
func (c *crowd) turn(now time.Duration) {
	phase := c.w.phase.Load()
	if phase >= phaseMeasure && c.from == 0 {
		c.from = now
	}
	if phase == phaseStop && c.until == 0 {
		c.until = now
	}
}

// over reports whether all is done: at once in a closed loop, and with a
// schedule when everything due is answered, or has waited for long enough.
func (c *crowd) over(now time.Duration) bool {
	if c.until == 0 {
		return false
	}
	return c.schedule == nil || c.flying == 0 && !c.isDue(now) || now > c.until+grace
}

// isDue reports whether a request is to go out.
func (c *crowd) isDue(now time.Duration) bool {
	due := c.schedule.due()
	return due <= now && (c.until == 0 || due < c.until)
}

// sendDue sends what is due and returns how long there is nothing to do but
// wait for answers.
func (c *crowd) sendDue(now time.Duration) (time.Duration, error) {
	if c.schedule == nil {
		return patience, nil
	}
	for len(c.free) > 0 && c.isDue(now) {
		i := c.free[0]
		c.free = c.free[:copy(c.free, c.free[1:])]
		m, due := &c.members[i], c.schedule.due()
		c.schedule.advance()
		if c.from > 0 {
			c.w.late.add(now - max(due, m.idle))
		}
		if err := c.send(i, due); err != nil {
			return 0, err
		}
		now = time.Since(c.began)
	}
	if len(c.free) == 0 {
		return patience, nil
	}
	return min(max(c.schedule.due()-now, 0), patience), nil
}

func (c *crowd) send(i int, due time.Duration) error {
	m := &c.members[i]
	request := c.w.load.request(m.next)
	m.next++
	m.busy, m.due = true, due
	c.flying++
	n, err := unix.Write(m.fd, request)
	if err == nil && n < len(request) {
		err = errors.New("a socket took part of a request")
	}
	if err != nil {
		return c.repair(i, err)
	}
	return nil
}

// receive reads what came on a connection.
func (c *crowd) receive(i int) error {
	m := &c.members[i]
	n, err := unix.Read(m.fd, m.answer.space(c.scratch))
	if err == unix.EAGAIN || err == unix.EINTR {
		return nil
	}
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && !m.busy {
		err = errors.New("an answer without a request")
	}
	if err != nil {
		return c.repair(i, err)
	}
	done, err := m.answer.take(n, c.scratch)
	if err != nil {
		return c.repair(i, err)
	}
	if !done {
		return nil
	}
	now := time.Since(c.began)
	c.count(m.due, now)
	m.busy = false
	c.flying--
	return c.ready(i, now)
}

// count counts an answer: to the work done if it came within the measurement,
// and to the latencies if its request was due in it.
func (c *crowd) count(due, now time.Duration) {
	if c.w.phase.Load() == phaseMeasure {
		c.w.answers++
	}
	inside := c.w.phase.Load() == phaseMeasure
	if c.schedule != nil {
		inside = c.from > 0 && due >= c.from
	}
	if inside {
		c.w.latency.add(now - due)
	}
}

// repair counts a failure and opens the connection anew; after a hundred of
// them it gives up.
func (c *crowd) repair(i int, cause error) error {
	m := &c.members[i]
	unix.Close(m.fd)
	m.fd = -1
	m.answer.reset()
	wasBusy := m.busy
	if m.busy {
		m.busy = false
		c.flying--
	}
	if c.until > 0 && c.schedule == nil {
		return nil
	}
	c.w.failures++
	c.w.lastError = cause
	if c.repairs++; c.repairs > 100 {
		return fmt.Errorf("too many failures: %w", cause)
	}
	if err := c.connect(i); err != nil {
		return err
	}
	if c.schedule != nil && !wasBusy {
		return nil // it still stands in the queue
	}
	return c.ready(i, time.Since(c.began))
}

// settle counts what was due and not answered with the time that it had waited
// by then: to leave it out would flatter whoever is slow.
func (c *crowd) settle(now time.Duration) {
	if c.schedule == nil {
		return
	}
	for i := range c.members {
		if m := &c.members[i]; m.busy && m.due >= c.from {
			c.abandon(now - m.due)
		}
	}
	for ; c.isDue(now); c.schedule.advance() {
		c.abandon(now - c.schedule.due())
	}
}

func (c *crowd) abandon(waited time.Duration) {
	c.w.latency.add(waited)
	c.w.unanswered++
}

package function

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"time"
)

// Invoke is one event for a function.
type Invoke struct {
	ID      string // tells it from every other that is under way
	Event   []byte // not kept after the Result
	Trace   string // X-Amzn-Trace-Id
	Context string // of the client, as the Invoke API has it
	// Until is when whoever asks stops waiting; zero for as long as it takes.
	// The function goes on until its own timeout.
	Until time.Time
}

// Outcome is what kind of end an invoke came to.
type Outcome uint8

// The outcomes.
const (
	Answered   Outcome = iota
	Failed             // the function reported an error
	Crashed            // its process ended
	TimedOut           // the function's own timeout
	Abandoned          // whoever asked stopped waiting
	Throttled          // no process was free, and none could be started
	NotStarted         // a process could not be started
	TooLarge           // the answer is
	Closed             // the gateway is ending
)

// String returns the outcome in one word, for logs and metrics.
func (o Outcome) String() string {
	return [...]string{"answered", "function-error", "function-crashed", "function-timeout", "timeout", "function-throttled", "function-init", "function-answer-size", "closing"}[o]
}

// Result is what came of an invoke.
type Result struct {
	Outcome Outcome
	Payload []byte  // the answer, or the error as JSON; lent until Free
	Stream  *Stream // in place of Payload, for an answer that comes bit by bit
	Error   string  // the error's type, as the function says it
	Message string  // and its message
	Detail  string  // why there is no answer, for log and trail

	Instance string        // the process that did it
	Cold     bool          // it was started for it
	Init     time.Duration // how long its start took, where Cold
	Queued   time.Duration // until a process had it, the start included
	Duration time.Duration // from then to the answer

	lent *[]byte
}

// Free gives the memory of Payload back.
func (r *Result) Free() {
	if r.lent != nil {
		giveBuffer(r.lent)
		r.lent, r.Payload = nil, nil
	}
}

// invocation is an invoke on its way.
type invocation struct {
	Invoke
	arrived  time.Time
	begun    time.Time // handed to a process; zero before
	expires  time.Time // the function's own timeout
	worker   *worker   // who has it; nil before
	cold     bool      // its process was started for it
	claimed  bool      // an answer has begun to come
	settled  atomic.Bool
	reported atomic.Bool
	patience *time.Timer   // of the queue; nil where it was not in it
	done     chan struct{} // has one element once there is a result
	result   Result
}

func newInvocation(i Invoke) *invocation {
	return &invocation{Invoke: i, arrived: time.Now(), done: make(chan struct{}, 1)}
}

// settle makes r the result unless there is one, and reports whether it did.
func (v *invocation) settle(r Result) bool {
	if v.settled.Swap(true) {
		return false
	}
	now := time.Now()
	if w := v.worker; w != nil {
		r.Instance, r.Queued, r.Duration = w.instance.id, v.begun.Sub(v.arrived), now.Sub(v.begun)
		if r.Cold = v.cold; r.Cold {
			r.Init = w.instance.initTook
		}
	} else {
		r.Queued = now.Sub(v.arrived)
	}
	v.result = r
	v.done <- struct{}{}
	return true
}

// All returns the answer as a whole, of at most limit bytes. It is the caller's.
func (r *Result) All(limit int64) ([]byte, error) {
	if r.Stream == nil {
		if int64(len(r.Payload)) > limit {
			return nil, errTooLarge
		}
		return bytes.Clone(r.Payload), nil
	}
	defer r.Stream.Close()
	return readAll(nil, r.Stream, -1, limit)
}

// NewID returns an id for an invoke that no request makes, a version 4 UUID.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

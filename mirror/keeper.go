package mirror

import (
	"context"
	"sync"
	"sync/atomic"

	"gatehouse/keeper"
)

// Keeper holds the queues of copies, one for each service that gets any. It is
// safe for concurrent use; leases are taken one at a time.
type Keeper struct {
	queues *keeper.Set[key, *Queue]
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup // of the goroutines that send
}

// key is what a queue is: where its copies go, and how many at once.
type key struct {
	target     string
	concurrent int
}

// NewKeeper returns a Keeper without queues.
func NewKeeper() *Keeper {
	k := &Keeper{queues: keeper.NewSet[key, *Queue]()}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

// Close drops what waits, ends what is being sent, and waits for that.
func (k *Keeper) Close() {
	k.queues.Close()
	k.cancel()
	k.done.Wait()
}

// Begin starts a lease.
func (k *Keeper) Begin() *Lease { return &Lease{keeper: k, queues: k.queues.Begin()} }

// Lease is the part of a reload that concerns copies.
type Lease struct {
	keeper *Keeper
	queues *keeper.Lease[key, *Queue]
}

// Commit makes the queues that the lease named those that are kept.
func (l *Lease) Commit() { l.queues.Commit() }

// Abort leaves everything as it was.
func (l *Lease) Abort() { l.queues.Abort() }

// queue returns the queue of a target.
func (l *Lease) queue(target string, concurrent int) *Queue {
	key := key{target, concurrent}
	q, _ := l.queues.Get(key, func() (*Queue, error) { return &Queue{keeper: l.keeper, key: key}, nil })
	return q
}

// Queue is the copies that wait for one target, and those that are being sent to
// it. While there are none it has no goroutine.
type Queue struct {
	keeper *Keeper
	key    key
	counts [outcomes]atomic.Uint64

	mu      sync.Mutex
	waiting []*letter // in the order in which they came
	sending int
	retired bool
}

// waitingFor is how many copies may wait for each that may be sent at once.
const waitingFor = 16

// full reports whether a copy would find no place now.
func (q *Queue) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed()
}

// closed is called with mu held.
func (q *Queue) closed() bool {
	return q.retired || q.sending >= q.key.concurrent && len(q.waiting) >= waitingFor*q.key.concurrent
}

// put queues a copy, or drops it where there is no place.
func (q *Queue) put(l *letter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed():
		q.drop(l, droppedFull)
	case q.sending < q.key.concurrent:
		q.sending++
		q.keeper.done.Add(1)
		go q.send(l)
	default:
		q.waiting = append(q.waiting, l)
	}
}

func (q *Queue) drop(l *letter, why outcome) {
	q.counts[why].Add(1)
	l.free()
}

// send sends a copy, and then others until none waits.
func (q *Queue) send(l *letter) {
	defer q.keeper.done.Done()
	for ; l != nil; l = q.next() {
		q.counts[l.send(q.keeper.ctx)].Add(1)
		l.free()
	}
}

// next takes the copy that has waited longest; nil where none waits, and then
// the caller sends no more.
func (q *Queue) next() *letter {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.waiting = nil
		q.sending--
		return nil
	}
	l := q.waiting[0]
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]
	return l
}

// Retire implements keeper.Entry: nothing is taken any more, and what waits is
// dropped.
func (q *Queue) Retire() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.retired = true
	for _, l := range q.waiting {
		q.drop(l, droppedFull)
	}
	q.waiting = nil
}

// Stats is what became of the copies for one target.
type Stats struct {
	Target  string
	Waiting int
	Sending int
	Results []Result
}

// Result is how many copies had one outcome.
type Result struct {
	Outcome string
	Copies  uint64
}

// Each calls f for every queue of the last committed lease.
func (k *Keeper) Each(f func(Stats)) {
	k.queues.Each(func(_ key, q *Queue) {
		q.mu.Lock()
		s := Stats{Target: q.key.target, Waiting: len(q.waiting), Sending: q.sending}
		q.mu.Unlock()
		for o := range outcomes {
			s.Results = append(s.Results, Result{o.String(), q.counts[o].Load()})
		}
		f(s)
	})
}

// outcome is what became of a copy.
type outcome uint8

const (
	answered       outcome = iota // whatever the status
	failed                        // no answer, or not to its end
	droppedFull                   // no place in the queue
	droppedLarge                  // the body is larger than copies may be
	droppedBudget                 // the memory for bodies is wanted for requests
	droppedPartial                // the body was not read to its end
	outcomes
)

func (o outcome) String() string {
	return [outcomes]string{"answered", "failed", "dropped-full", "dropped-large", "dropped-budget", "dropped-partial"}[o]
}

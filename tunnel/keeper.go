package tunnel

import (
	"sync"
	"sync/atomic"
	"time"
)

// End is why a tunnel ended.
type End string

// Why tunnels end.
const (
	ByClient  End = "client"  // the client closed it, or broke off
	ByService End = "service" // the service did
	Idle      End = "idle"    // nothing passed for too long
	Age       End = "max-age"
	Expired   End = "expired"  // the credential by which it was opened
	Shutdown  End = "shutdown" // the gateway stops
)

// Keeper knows the tunnels that are open. It is safe for concurrent use.
type Keeper struct {
	opened  atomic.Uint64
	in, out atomic.Uint64 // bytes of those that have ended
	pipes   atomic.Int32  // that are open

	mu       sync.Mutex
	open     map[*tunnel]struct{}
	callers  map[string]int
	ends     map[End]uint64
	draining bool
}

// NewKeeper returns a Keeper of no tunnel.
func NewKeeper() *Keeper {
	return &Keeper{open: make(map[*tunnel]struct{}), callers: make(map[string]int), ends: make(map[End]uint64)}
}

// Enter counts a tunnel for its caller, and reports whether the caller had
// fewer than limit. Each Enter that reports true is followed by one Leave.
func (k *Keeper) Enter(caller string, limit int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.callers[caller] >= limit {
		return false
	}
	k.callers[caller]++
	return true
}

// Leave ends what Enter began.
func (k *Keeper) Leave(caller string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.callers[caller]--; k.callers[caller] <= 0 {
		delete(k.callers, caller)
	}
}

// Limits are how long a tunnel may live.
type Limits struct {
	MaxAge time.Duration
	Idle   time.Duration // without a byte in either direction
	Until  time.Time     // when the caller's credential expires; zero for never
}

// Outcome is what became of a tunnel.
type Outcome struct {
	In, Out int64 // bytes from the client, and to it
	End     End
}

// Run runs f, which runs a tunnel, on a goroutine of its own.
func (k *Keeper) Run(f func()) { go f() }

// Join passes bytes between a client and a service until both directions have
// ended, and closes both connections. It does so on the caller's goroutine and
// one more.
func (k *Keeper) Join(client, service Side, l Limits) Outcome {
	t := newTunnel(client, service, l)
	t.pipes = &k.pipes
	if k.enter(t) {
		t.finish(Shutdown)
	}
	t.run()
	return k.leave(t)
}

// enter enters a tunnel in the books, and reports whether it is to end at once.
func (k *Keeper) enter(t *tunnel) bool {
	k.opened.Add(1)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open[t] = struct{}{}
	return k.draining
}

func (k *Keeper) leave(t *tunnel) Outcome {
	o := Outcome{In: t.up.bytes.Load(), Out: t.down.bytes.Load(), End: t.why()}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.in.Add(uint64(o.In)) // under the lock, so that Stats counts none twice
	k.out.Add(uint64(o.Out))
	k.ends[o.End]++
	delete(k.open, t)
	return o
}

// Drain ends every tunnel, those to come too: one after the other in the given
// time, so that their clients do not all connect anew in one moment. It does
// not wait.
func (k *Keeper) Drain(over time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.draining = true
	n := len(k.open)
	i := 0
	for t := range k.open {
		time.AfterFunc(over*time.Duration(i)/time.Duration(n), func() { t.finish(Shutdown) })
		i++
	}
}

// Stats is what is known of all tunnels together.
type Stats struct {
	Open    int
	Opened  uint64
	In, Out uint64 // bytes from clients and to them, of those that are open too
	Ends    map[End]uint64
}

// Stats returns what is known now.
func (k *Keeper) Stats() Stats {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := Stats{Open: len(k.open), Opened: k.opened.Load(), In: k.in.Load(), Out: k.out.Load(), Ends: make(map[End]uint64, len(k.ends))}
	for t := range k.open {
		s.In += uint64(t.up.bytes.Load())
		s.Out += uint64(t.down.bytes.Load())
	}
	for end, n := range k.ends {
		s.Ends[end] = n
	}
	return s
}

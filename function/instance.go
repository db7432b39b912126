package function

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/http1"
)

// instance is one process of a function, from before it starts to after its end.
// What is not guarded by its own lock is guarded by its pool's.
type instance struct {
	id   string
	pool *pool

	began     time.Time
	ready     chan struct{} // closed once it has asked for work
	readyAt   time.Time
	initTook  time.Duration
	used      bool
	lastUsed  time.Time
	active    map[string]*invocation // by id
	workers   []*worker              // with nothing to do
	returning int                    // see pool
	draining  bool                   // it gets nothing more
	dead      bool

	stopped  atomic.Bool // somebody wants its end
	stopping chan struct{}
	once     sync.Once
	conns    atomic.Int32

	mu      sync.Mutex
	process Process
	failure string    // what it said of its own start
	peak    int64     // of its memory, as it was measured last
	peakAt  time.Time // when
}

// newInstanceID returns a name for something that runs a function.
func newInstanceID() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func newInstance(p *pool) *instance {
	return &instance{
		id: newInstanceID(), pool: p, began: time.Now(), ready: make(chan struct{}), stopping: make(chan struct{}),
		active: make(map[string]*invocation),
	}
}

func (in *instance) isReady() bool {
	select {
	case <-in.ready:
		return true
	default:
		return false
	}
}

// run is the life of the process.
func (in *instance) run() {
	p := in.pool
	limit := p.version.config.Init.D()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	process, err := p.launcher.Start(ctx, p.version.spec(p.log.name, in.id))
	if err != nil {
		p.keeper.log.Error("a function cannot be started", "function", p.version.config.Name, "error", err)
		p.gone(in, err.Error())
		return
	}
	in.mu.Lock()
	in.process = process
	in.mu.Unlock()
	in.serve(process)
	why := ""
	select {
	case <-in.ready:
	case <-process.Done():
	case <-in.stopping:
	case <-ctx.Done():
		why = fmt.Sprintf("it did not ask for work within %v (init-timeout)", p.version.config.Init)
		p.log.line(in.id, platform, "INIT_REPORT Status: timeout")
	}
	if why == "" && in.isReady() {
		select {
		case <-process.Done():
		case <-in.stopping:
		}
	}
	process.Kill()
	<-process.Done()
	if why == "" {
		why = in.failed()
	}
	p.gone(in, why)
}

// failed says how a process ended that never asked for work.
func (in *instance) failed() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.failure != "" {
		return in.failure
	}
	return "the process ended before it asked for work: " + in.process.Exit()
}

// exit says how the process ended, which it has.
func (in *instance) exit() string {
	in.mu.Lock()
	process := in.process
	in.mu.Unlock()
	if process == nil {
		return "it never began"
	}
	return process.Exit()
}

// stop has the process end, whatever it does. It does not wait.
func (in *instance) stop() {
	in.stopped.Store(true)
	in.once.Do(func() { close(in.stopping) })
}

// expire ends what did not end by itself: the process that has v, unless others
// are at work in it, who may finish.
func (in *instance) expire() {
	in.pool.mu.Lock()
	in.draining = true
	others := len(in.active) > 1
	in.pool.mu.Unlock()
	if !others {
		in.stop()
	}
}

// maxConns is how many connections a process may have to the Runtime API beside
// those of its invokes.
const maxConns = 16

// serve takes the connections and the words of the process.
func (in *instance) serve(process Process) {
	p := in.pool
	stdout, stderr := process.Output()
	p.keeper.work.Go(func() { p.log.copy(in.id, "stdout", stdout) })
	p.keeper.work.Go(func() { p.log.copy(in.id, "stderr", stderr) })
	server := &http1.Server{Handler: in, Settings: http1.Settings{
		Head: maxHead, Fields: 64, HeaderTimeout: time.Minute, IdleTimeout: 24 * time.Hour,
	}}
	p.keeper.work.Go(func() { in.accept(process.Listener(), server) })
}

func (in *instance) accept(l net.Listener, server *http1.Server) {
	most := int32(in.pool.version.config.Requests + maxConns)
	for {
		c, err := l.Accept()
		if err != nil {
			return // the process has ended
		}
		if in.conns.Add(1) > most {
			in.conns.Add(-1)
			_ = c.Close()
			continue
		}
		in.pool.keeper.work.Go(func() {
			defer in.conns.Add(-1)
			server.NewConn(c, owner{in}).Serve(nil)
		})
	}
}

// memory returns the most memory that the process has used. It is measured at
// most every measureEvery, since that costs as much as an invoke.
func (in *instance) memory(now time.Time) int64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	if now.Sub(in.peakAt) >= measureEvery && in.process != nil {
		in.peak, in.peakAt = in.process.Peak(), now
	}
	return in.peak
}

const measureEvery = 100 * time.Millisecond

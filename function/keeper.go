package function

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"

	"gatehouse/config"
	"gatehouse/keeper"
)

// Options are what a Keeper needs of others.
type Options struct {
	// Launch returns what starts processes. It is called once, with the first
	// function that there is.
	Launch    func() (Launcher, error)
	Data      string // the gateway's folder
	Processes int    // of all functions at once
	Log       *slog.Logger
}

// Keeper keeps the processes of functions over reloads: of every version as long
// as a configuration names it or a request has it.
type Keeper struct {
	launch func() (Launcher, error)
	log    *slog.Logger
	logs   string
	store  *store
	pools  *keeper.Set[[sha256.Size]byte, runner]
	work   sync.WaitGroup // goroutines of processes
	ending chan struct{}
	swept  sync.WaitGroup

	mu        sync.Mutex
	processes int
	most      int
	files     map[string]*logFile // by function
	compiled  wazero.CompilationCache
	all       map[*pool]bool // those that were retired and have processes among them
	hungry    []*pool        // those that wait for room for a process
}

// sweepEvery is how often it is looked for processes that have been idle too long.
const sweepEvery = time.Second

// NewKeeper returns a Keeper without functions.
func NewKeeper(o Options) *Keeper {
	k := &Keeper{
		launch: sync.OnceValues(o.Launch), log: o.Log, logs: filepath.Join(o.Data, "logs", "functions"), store: newStore(filepath.Join(o.Data, "functions")),
		pools: keeper.NewSet[[sha256.Size]byte, runner](), ending: make(chan struct{}), most: o.Processes,
		files: make(map[string]*logFile), compiled: wazero.NewCompilationCache(), all: make(map[*pool]bool),
	}
	k.swept.Go(k.sweep)
	return k
}

// SetProcesses makes another limit of all processes hold for those to come.
func (k *Keeper) SetProcesses(n int) {
	k.mu.Lock()
	k.most = n
	k.mu.Unlock()
}

// sweep looks after idle processes until the end.
func (k *Keeper) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-k.ending:
			return
		case now := <-tick.C:
			for _, p := range k.everyPool() {
				if p.sweep(now) {
					k.forget(p)
				}
			}
		}
	}
}

// forget lets go of a pool that is retired and empty.
func (k *Keeper) forget(p *pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.instances) == 0 {
		k.mu.Lock()
		delete(k.all, p)
		k.mu.Unlock()
	}
}

func (k *Keeper) everyPool() []*pool {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]*pool, 0, len(k.all))
	for p := range k.all {
		out = append(out, p)
	}
	return out
}

// Close ends all processes and waits for that. Whoever still asks is refused.
func (k *Keeper) Close() {
	close(k.ending)
	k.swept.Wait()
	for _, p := range k.everyPool() {
		p.close()
	}
	k.work.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range k.files {
		l.close()
	}
}

// reserve takes room for one more process of p; where there is none, it has that
// end which has been idle the longest, and reports false: p is told when there is.
func (k *Keeper) reserve(p *pool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all[p] = true
	if k.processes >= k.most {
		if !slices.Contains(k.hungry, p) {
			k.hungry = append(k.hungry, p)
		}
		k.work.Go(k.makeRoom)
		return false
	}
	k.processes++
	return true
}

// giveBack gives the room of one process back, to who has waited for it the
// longest.
func (k *Keeper) giveBack() {
	k.mu.Lock()
	k.processes--
	var next *pool
	if len(k.hungry) > 0 {
		next, k.hungry = k.hungry[0], k.hungry[1:]
	}
	k.mu.Unlock()
	if next != nil {
		next.feed()
	}
}

// makeRoom ends the process that has been idle the longest.
func (k *Keeper) makeRoom() {
	var from *pool
	var at time.Time
	for _, p := range k.everyPool() {
		if t := p.oldest(); !t.IsZero() && (at.IsZero() || t.Before(at)) {
			from, at = p, t
		}
	}
	if from != nil {
		from.evict(at)
	}
}

// logOf returns the log of a function, whatever its version.
func (k *Keeper) logOf(c *Config) *logFile {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.files[c.Name]
	if l == nil {
		l = newLog(k.logs, c.Name, k.log)
		k.files[c.Name] = l
	}
	return l
}

// Begin starts a lease.
func (k *Keeper) Begin() *Lease { return &Lease{k, k.pools.Begin()} }

// Lease is one configuration's hold on functions. It is not safe for concurrent
// use; the Functions that it gives are.
type Lease struct {
	keeper *Keeper
	pools  *keeper.Lease[[sha256.Size]byte, runner]
}

// Commit makes the lease's functions those that are kept warm.
func (l *Lease) Commit() {
	l.pools.Commit()
	for _, p := range l.keeper.everyPool() {
		p.provision()
	}
}

// Abort gives up what the lease opened.
func (l *Lease) Abort() { l.pools.Abort() }

// Place is where functions are, in ARNs.
type Place struct{ Account, Region string }

// runner is what runs one version of a function. It is safe for concurrent use.
type runner interface {
	keeper.Entry
	invoke(Invoke) Result
	stats() Stats
	of() *version
}

// Function is one version of a function. It is safe for concurrent use.
type Function struct{ runner runner }

// Function returns the function of a checked configuration, as its code is now. It
// starts nothing but what is provisioned, with Commit.
func (l *Lease) Function(c *Config, place Place) (*Function, error) {
	v, err := l.keeper.version(c, place)
	if err != nil {
		return nil, fmt.Errorf("%s: the function %s: %w", c.Pos, c.Name, err)
	}
	key := sha256.Sum256([]byte(c.Name + "\x00" + v.hash))
	r, err := l.pools.Get(key, func() (runner, error) { return l.keeper.run(v) })
	if err != nil {
		return nil, fmt.Errorf("%s: the function %s: %w", c.Pos, c.Name, err)
	}
	return &Function{r}, nil
}

// run makes what runs a version.
func (k *Keeper) run(v *version) (runner, error) {
	if v.config.Runtime == WASM {
		return k.wasm(v)
	}
	launcher, err := k.launch()
	if err != nil {
		return nil, err
	}
	return k.open(v, launcher), nil
}

func (k *Keeper) open(v *version, launcher Launcher) *pool {
	p := &pool{keeper: k, launcher: launcher, version: v, log: k.logOf(&v.config), instances: make(map[*instance]struct{})}
	k.mu.Lock()
	k.all[p] = true
	k.mu.Unlock()
	return p
}

// version makes a version of a function as it is configured and its code lies there.
func (k *Keeper) version(c *Config, place Place) (*version, error) {
	v := &version{config: *c, region: place.Region, arn: "arn:aws:lambda:" + place.Region + ":" + place.Account + ":function:" + c.Name}
	folder, hash, err := k.store.keep(c.Code.Value)
	if err != nil {
		return nil, err
	}
	v.code = folder
	var folders []string
	hashes := []string{hash}
	for _, layer := range c.Layers {
		folder, hash, err := k.store.keep(layer.Value)
		if err != nil {
			return nil, err
		}
		folders, hashes = append(folders, folder), append(hashes, hash)
	}
	if v.layers, err = k.store.merge(folders, hashes[1:]); err != nil {
		return nil, err
	}
	if err := k.runtime(v); err != nil {
		return nil, err
	}
	digest := config.Digest([]any{c, place, v.command, v.args, v.runtime, v.trees})
	sum := sha256.Sum256([]byte(strings.Join(hashes, "\n") + "\n" + hex.EncodeToString(digest[:])))
	v.hash = hex.EncodeToString(sum[:])
	return v, nil
}

// Name returns what the function is called.
func (f *Function) Name() string { return f.runner.of().config.Name }

// Version returns what its version is called: the first digits of its hash.
func (f *Function) Version() string { return f.runner.of().name() }

// Config returns what is configured.
func (f *Function) Config() Config { return f.runner.of().config }

// Invoke has the function work on an event, and waits for what comes of it.
func (f *Function) Invoke(i Invoke) Result { return f.runner.invoke(i) }

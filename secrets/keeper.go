package secrets

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Turner is what takes turns by itself; a Ring is one.
type Turner interface {
	Name() string
	// Turn does what is due, and reports whether it changed anything.
	Turn(now time.Time) (bool, error)
	// Force does it at once; see Ring.Force.
	Force(now time.Time, forget bool) error
	Status(now time.Time) Status
}

// KeeperOptions are what a Keeper needs.
type KeeperOptions struct {
	Log *slog.Logger
	// Chores are done each second. None may wait for long.
	Chores []func(context.Context)
	// Turned is told of each turn; may be nil.
	Turned func(name string)
}

// Keeper has rings take their turns. It is safe for concurrent use.
type Keeper struct {
	options KeeperOptions

	mu     sync.Mutex
	rings  []Turner
	cancel context.CancelFunc // nil while it rests
	ended  chan struct{}
}

// NewKeeper returns a Keeper that rests.
func NewKeeper(o KeeperOptions) *Keeper { return &Keeper{options: o} }

// Add hands a ring over.
func (k *Keeper) Add(t Turner) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rings = append(k.rings, t)
}

// Each calls f for each ring.
func (k *Keeper) Each(f func(Turner)) {
	k.mu.Lock()
	rings := k.rings[:len(k.rings):len(k.rings)]
	k.mu.Unlock()
	for _, r := range rings {
		f(r)
	}
}

const (
	choresEvery = time.Second
	turnsEvery  = time.Minute
)

// Start begins, unless it has begun.
func (k *Keeper) Start() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	k.cancel, k.ended = cancel, ended
	go func() {
		defer close(ended)
		k.run(ctx)
	}()
}

// Close ends what Start began, and returns once it has.
func (k *Keeper) Close() {
	k.mu.Lock()
	cancel, ended := k.cancel, k.ended
	k.cancel = nil
	k.mu.Unlock()
	if cancel != nil {
		cancel()
		<-ended
	}
}

func (k *Keeper) run(ctx context.Context) {
	ticker := time.NewTicker(choresEvery)
	defer ticker.Stop()
	var turned time.Time
	for {
		now := time.Now()
		for _, chore := range k.options.Chores {
			chore(ctx)
		}
		if now.Sub(turned) >= turnsEvery && ctx.Err() == nil {
			turned = now
			k.turn(now)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// turn has each ring do what is due. One that cannot is tried again, and does
// meanwhile with the keys that it has.
func (k *Keeper) turn(now time.Time) {
	k.Each(func(r Turner) {
		changed, err := r.Turn(now)
		if err != nil {
			k.options.Log.Warn("keys could not be changed; those before stay in force", slog.String("keys", r.Name()), slog.Any("error", err))
		}
		if changed && k.options.Turned != nil {
			k.options.Turned(r.Name())
		}
	})
}

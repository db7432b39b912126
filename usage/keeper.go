package usage

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/state"
)

// Keeper keeps API keys and what of their quotas is used, over reloads, and in
// the state over restarts. It is safe for concurrent use.
type Keeper struct {
	log     *slog.Logger
	store   *state.Store
	keys    *state.Table
	counts  *state.Table
	secrets *state.Table

	index  *index
	meters *meters
	hasher atomic.Pointer[hasher] // nil before the first key was made
	plans  atomic.Pointer[map[string]*Plan]
	node   string      // of this gateway, in the names of its counts
	own    atomic.Bool // what the state says of our counts was just written by us

	mu     sync.Mutex // of starting and ending
	ending chan struct{}
	ended  chan struct{}
}

// hmacKey is the row of the key of HMACs.
const hmacKey = "api-keys"

// NewKeeper returns a Keeper of a store that is not open yet.
func NewKeeper(store *state.Store, log *slog.Logger) *Keeper {
	k := &Keeper{log: log, store: store, index: newIndex(), meters: newMeters()}
	k.plans.Store(&map[string]*Plan{})
	k.keys = store.Table("keys", k.keyChanged)
	k.counts = store.Table("usage", k.countChanged)
	k.secrets = store.Secrets("hmac", k.secretChanged)
	return k
}

// Prepare gives the gateway its name among those that share the state. It comes
// before the store is opened.
func (k *Keeper) Prepare(data string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.node != "" {
		return nil
	}
	path := filepath.Join(data, "node-id")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		var raw [6]byte
		_, _ = rand.Read(raw[:])
		text = []byte(hex.EncodeToString(raw[:]))
		err = os.WriteFile(path, append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("the gateway's name among others: %w", err)
	}
	id := strings.TrimSpace(string(text))
	if raw, err := hex.DecodeString(id); err != nil || len(raw) != 6 {
		return fmt.Errorf("%s holds no name: remove it for a new one", path)
	}
	k.node = id
	return nil
}

// flushEvery is how long counts wait before they are stored: a crash loses a
// second of them at most, the write included.
const flushEvery = 500 * time.Millisecond

// flushAgain is how long they wait after they could not be.
const flushAgain = 5 * time.Second

// Start begins to store counts. It follows the opening of the store.
func (k *Keeper) Start() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ending != nil {
		return
	}
	k.ending, k.ended = make(chan struct{}), make(chan struct{})
	go k.flushing(k.ending, k.ended)
}

// Close stores what was counted. It comes before the store is closed.
func (k *Keeper) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ending == nil {
		return
	}
	close(k.ending)
	<-k.ended
	k.ending = nil
}

func (k *Keeper) flushing(ending <-chan struct{}, ended chan<- struct{}) {
	defer close(ended)
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ending:
			k.flush()
			return
		case <-ticker.C:
			if k.flush() {
				ticker.Reset(flushEvery)
			} else {
				ticker.Reset(flushAgain)
			}
		}
	}
}

// flush stores the parts that have changed, and reports whether it could. While the
// engine is away they wait.
func (k *Keeper) flush() bool {
	for i := range k.meters.parts {
		p := &k.meters.parts[i]
		if !p.dirty.Swap(false) {
			continue
		}
		k.own.Store(true)
		err := k.counts.Put(context.Background(), k.node+"."+strconv.Itoa(i), p.stored(time.Now()))
		k.own.Store(false)
		if err != nil {
			p.dirty.Store(true)
			k.log.Debug("counts of quotas wait to be stored", slog.Any("error", err))
			return false
		}
	}
	return true
}

// countChanged takes what the state says of the counts of a gateway.
func (k *Keeper) countChanged(id string, value []byte) {
	node, _, _ := strings.Cut(id, ".")
	if value == nil || node == k.node && k.own.Load() {
		return
	}
	var row usageRow
	if err := json.Unmarshal(value, &row); err != nil {
		k.log.Error("counts in the state cannot be read", slog.String("row", id), slog.Any("error", err))
		return
	}
	for key, windows := range row {
		m := k.meters.of(key)
		if node == k.node {
			m.merge(windows)
			continue
		}
		m.mu.Lock()
		if m.others == nil {
			m.others = make(map[string][2]window)
		}
		m.others[node] = windows
		m.mu.Unlock()
	}
}

func (k *Keeper) secretChanged(id string, value []byte) {
	if id == hmacKey && len(value) >= 32 {
		k.hasher.Store(newHasher(value))
	}
}

// hashing returns the hasher, with a new key where there is none yet.
func (k *Keeper) hashing(ctx context.Context) (*hasher, error) {
	if h := k.hasher.Load(); h != nil {
		return h, nil
	}
	if _, there := k.secrets.Get(hmacKey); !there {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret)
		if err := k.secrets.Create(ctx, hmacKey, secret); err != nil && !errors.Is(err, state.ErrExists) {
			return nil, err
		}
	}
	if h := k.hasher.Load(); h != nil {
		return h, nil
	}
	return nil, errors.New("the key of API keys is another gateway's and not here yet, or sealed under a master key that is not at hand: try again")
}

// SetPlans makes the usage plans of a configuration hold for what is created.
func (k *Keeper) SetPlans(plans map[string]*Plan) { k.plans.Store(&plans) }

// Count returns how many API keys there are.
func (k *Keeper) Count() int { return k.index.count() }

// find returns the key of a value, or why it is not taken.
func (k *Keeper) find(value string, now time.Time) (*entry, Problem) {
	h := k.hasher.Load()
	if h == nil || len(value) > maxValue {
		if !k.store.Loaded() {
			return nil, Away
		}
		return nil, Unknown
	}
	d := h.digest(value)
	e := k.index.find(&d)
	if e == nil {
		return nil, Unknown
	}
	return e, e.problem(&d, now)
}

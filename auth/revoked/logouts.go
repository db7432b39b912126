package revoked

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/state"
)

// Logout names what was logged out: a session, or all of a person's. It tells
// nobody who that is.
type Logout [16]byte

// mark says until when sessions were begun that are over, and how long that has to
// be known.
type mark struct {
	At    int64 `json:"at"`    // Unix seconds
	Until int64 `json:"until"` // Unix seconds
}

// Bounds of what is known of logouts.
const (
	maxLogouts   = 1 << 18
	forgetEvery  = time.Minute
	forgetAtOnce = 256
)

// Logouts knows which sessions of browsers are over before their time. Where there
// is a state they are kept in it, and hold on all gateways that share it. It is
// safe for concurrent use.
type Logouts struct {
	log   *slog.Logger
	store *state.Store
	table *state.Table
	count atomic.Int64

	mu      sync.RWMutex
	marks   map[Logout]mark
	waiting map[Logout]mark // to be stored
	forgot  time.Time       // when what has had its time was forgotten last
}

// NewLogouts returns the Logouts of a store that is not open yet.
func NewLogouts(store *state.Store, log *slog.Logger) *Logouts {
	l := &Logouts{log: log, store: store, marks: make(map[Logout]mark), waiting: make(map[Logout]mark)}
	l.table = store.Table("logouts", l.changed)
	return l
}

// changed takes what the state says.
func (l *Logouts) changed(id string, value []byte) {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != len(Logout{}) {
		return
	}
	key := Logout(raw)
	l.mu.Lock()
	defer l.mu.Unlock()
	if value == nil {
		// Its time was over, or the state's servers were set up anew: then they are
		// to know it again.
		if m, there := l.marks[key]; there && m.Until > time.Now().Unix() {
			l.waiting[key] = m
		}
		return
	}
	var m mark
	if err := json.Unmarshal(value, &m); err != nil {
		l.log.Error("a logout in the state cannot be read", slog.String("id", id), slog.Any("error", err))
		return
	}
	l.hold(key, m)
}

// hold makes a mark hold; a later one of the same stays. Under mu.
func (l *Logouts) hold(key Logout, m mark) {
	if before, there := l.marks[key]; there {
		m.At, m.Until = max(m.At, before.At), max(m.Until, before.Until)
	}
	l.marks[key] = m
	l.count.Store(int64(len(l.marks)))
}

// errFull says that a logout does not hold.
var errFull = fmt.Errorf("%d logouts are known already", maxLogouts)

// End ends what had begun by a time; until is when all of it is over anyway. It
// holds here at once. An error means that other gateways do not know it yet, and
// that it might not outlive this process; it is stored as soon as it can be.
func (l *Logouts) End(key Logout, at, until time.Time) error {
	m := mark{at.Unix(), until.Unix()}
	l.mu.Lock()
	if _, there := l.marks[key]; !there && len(l.marks) >= maxLogouts {
		l.mu.Unlock()
		return errFull
	}
	l.hold(key, m)
	m = l.marks[key]
	l.mu.Unlock()
	if !l.store.Opened() && !l.store.Loaded() {
		return nil // there is none
	}
	return l.put(context.Background(), key, m)
}

func (l *Logouts) put(ctx context.Context, key Logout, m mark) error {
	text, err := json.Marshal(m)
	if err == nil {
		err = l.table.Put(ctx, hex.EncodeToString(key[:]), text)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.waiting[key] = m
	} else if l.waiting[key] == m {
		delete(l.waiting, key)
	}
	return err
}

// Ended reports whether what a key names was ended, and what had begun by when.
func (l *Logouts) Ended(key Logout) (at time.Time, ok bool) {
	if l.count.Load() == 0 {
		return time.Time{}, false
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	m, ok := l.marks[key]
	return time.Unix(m.At, 0), ok
}

// Flush stores what waits, and forgets what has had its time. It is called now and
// then.
func (l *Logouts) Flush(ctx context.Context) {
	l.forget(ctx)
	if !l.store.Writable() {
		return
	}
	l.mu.RLock()
	waiting := make(map[Logout]mark, len(l.waiting))
	for key, m := range l.waiting {
		waiting[key] = m
	}
	l.mu.RUnlock()
	for key, m := range waiting {
		if l.put(ctx, key, m) != nil {
			return
		}
	}
}

// forget forgets some of what has had its time.
func (l *Logouts) forget(ctx context.Context) {
	now := time.Now()
	var old []Logout
	l.mu.Lock()
	if now.Sub(l.forgot) < forgetEvery {
		l.mu.Unlock()
		return
	}
	for key, m := range l.marks {
		if m.Until < now.Unix() {
			if old = append(old, key); len(old) == forgetAtOnce {
				break
			}
		}
	}
	if len(old) < forgetAtOnce {
		l.forgot = now
	}
	for _, key := range old {
		delete(l.marks, key)
		delete(l.waiting, key)
	}
	l.count.Store(int64(len(l.marks)))
	l.mu.Unlock()
	for _, key := range old {
		id := hex.EncodeToString(key[:])
		row, there := l.table.Get(id)
		if !there {
			continue
		}
		if err := l.table.Delete(ctx, id, row.Revision); errors.Is(err, state.ErrAway) {
			return // the next start forgets them
		}
	}
}

// Ended is a logout that waits to be stored.
type Ended struct {
	Key   Logout `json:"key"`
	At    int64  `json:"at"`    // Unix seconds
	Until int64  `json:"until"` // Unix seconds
}

// Waiting returns the logouts that could not be stored yet.
func (l *Logouts) Waiting() (out []Ended) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for key, m := range l.waiting {
		out = append(out, Ended{key, m.At, m.Until})
	}
	return out
}

// Settled says that others have stored logouts.
func (l *Logouts) Settled(ended []Ended) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range ended {
		if l.waiting[e.Key] == (mark{e.At, e.Until}) {
			delete(l.waiting, e.Key)
		}
	}
}

package revoked

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/state"
)

// SessionKey stands for what was ended: one session, or all of a person or of a
// provider's session. Equal at every start and on every gateway.
type SessionKey = [sha256.Size]byte

// Sessions knows which logins were ended before their time. They are kept in the
// state where there is one, and then hold over restarts and on all gateways that
// share it. It is safe for concurrent use.
type Sessions struct {
	log   *slog.Logger
	store *state.Store
	table *state.Table
	count atomic.Int64

	mu    sync.RWMutex
	ended map[SessionKey]ending
}

// ending is when something was ended, and until when that matters: Unix seconds.
type ending struct {
	At    int64 `json:"at"`
	Until int64 `json:"until"`
}

// maxSessions is how many endings are kept.
const maxSessions = 1 << 18

// NewSessions returns the Sessions of a store that is not open yet.
func NewSessions(store *state.Store, log *slog.Logger) *Sessions {
	s := &Sessions{log: log, store: store, ended: make(map[SessionKey]ending)}
	s.table = store.Table("logouts", s.changed)
	return s
}

// changed takes what the state says.
func (s *Sessions) changed(id string, value []byte) {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != len(SessionKey{}) {
		s.log.Error("a logout in the state cannot be read", slog.String("id", id))
		return
	}
	var e ending
	if value != nil {
		if err := json.Unmarshal(value, &e); err != nil {
			s.log.Error("a logout in the state cannot be read", slog.String("id", id), slog.Any("error", err))
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if value == nil {
		delete(s.ended, SessionKey(raw))
	} else {
		s.ended[SessionKey(raw)] = e
	}
	s.count.Store(int64(len(s.ended)))
}

// Ended returns when what goes by a key was ended. Where nothing was, it costs next
// to nothing.
func (s *Sessions) Ended(k SessionKey) (at time.Time, ok bool) {
	if s.count.Load() == 0 {
		return at, false
	}
	s.mu.RLock()
	e, ok := s.ended[k]
	s.mu.RUnlock()
	return time.Unix(e.At, 0), ok
}

// End ends what goes by a key, of what has begun by a time; nobody needs to know
// after until. It is durable, and holds on this gateway, when End returns; without a
// state it does nothing.
func (s *Sessions) End(ctx context.Context, k SessionKey, at, until time.Time) error {
	if !s.store.Opened() {
		return nil
	}
	if s.prune(ctx, at); s.count.Load() >= maxSessions {
		return fmt.Errorf("%d logouts are kept already", maxSessions)
	}
	text, err := json.Marshal(ending{at.Unix(), until.Unix()})
	if err != nil {
		return err
	}
	return s.table.Put(ctx, hex.EncodeToString(k[:]), text)
}

// prune forgets endings of what is over by itself.
func (s *Sessions) prune(ctx context.Context, now time.Time) {
	var old []string
	s.mu.RLock()
	for k, e := range s.ended {
		if e.Until < now.Unix() {
			if old = append(old, hex.EncodeToString(k[:])); len(old) == pruneAtOnce {
				break
			}
		}
	}
	s.mu.RUnlock()
	for _, id := range old {
		if row, there := s.table.Get(id); there {
			_ = s.table.Delete(ctx, id, row.Revision) // the next one tries again
		}
	}
}

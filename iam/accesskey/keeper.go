// Package accesskey keeps access keys that were made by a command, beside those
// of the configuration: in the state, their secrets encrypted under the master
// key. A signature is verified with the secret itself, so a hash would not do.
package accesskey

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"gatehouse/state"
)

// Key is an access key as it is kept.
type Key struct {
	ID      string    `json:"accessKeyId"`
	User    string    `json:"user"`
	Secret  string    `json:"secretAccessKey,omitempty"` // shown once, when it is made
	Enabled bool      `json:"enabled"`
	Created time.Time `json:"created"`
}

// perUser is how many keys a user has at most: two let one be replaced.
const perUser = 2

// Keeper keeps access keys. It implements iam.Keys, and is safe for concurrent
// use.
type Keeper struct {
	log   *slog.Logger
	table *state.Table

	mu   sync.RWMutex
	keys map[string]*Key
}

// NewKeeper returns a Keeper of a store that is not open yet.
func NewKeeper(store *state.Store, log *slog.Logger) *Keeper {
	k := &Keeper{log: log, keys: make(map[string]*Key)}
	k.table = store.Secrets("access", k.changed)
	return k
}

func (k *Keeper) changed(id string, value []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, id)
	if value == nil {
		return
	}
	key := &Key{}
	if err := json.Unmarshal(value, key); err != nil || key.ID != id || key.Secret == "" {
		k.log.Error("an access key in the state cannot be read: it is not taken", slog.String("id", id))
		return
	}
	k.keys[id] = key
}

// AccessKey implements iam.Keys.
func (k *Keeper) AccessKey(id string) (secret, user string, ok bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	key := k.keys[id]
	if key == nil || !key.Enabled {
		return "", "", false
	}
	return key.Secret, key.User, true
}

// Create makes an access key of a user, who must be there, and returns it with
// its secret. It is durable when Create returns.
func (k *Keeper) Create(ctx context.Context, user string) (*Key, error) {
	k.mu.RLock()
	n := 0
	for _, key := range k.keys {
		if key.User == user {
			n++
		}
	}
	k.mu.RUnlock()
	if n >= perUser {
		return nil, fmt.Errorf("the user %s has %d access keys already: delete one first", user, n)
	}
	var id [10]byte
	var secret [30]byte
	_, _ = rand.Read(id[:])
	_, _ = rand.Read(secret[:])
	key := &Key{
		ID: "AKIA" + base32.StdEncoding.EncodeToString(id[:]), User: user, Enabled: true,
		Secret: base64.StdEncoding.EncodeToString(secret[:]), Created: time.Now().UTC().Truncate(time.Second),
	}
	text, err := json.Marshal(key)
	if err != nil {
		return nil, err
	}
	return key, k.table.Create(ctx, key.ID, text)
}

// List returns the keys of a user, or of all where that is "", without secrets.
func (k *Keeper) List(user string) []Key {
	k.mu.RLock()
	defer k.mu.RUnlock()
	out := []Key{}
	for _, key := range k.keys {
		if user == "" || key.User == user {
			shown := *key
			shown.Secret = ""
			out = append(out, shown)
		}
	}
	slices.SortFunc(out, func(a, b Key) int { return cmp.Or(cmp.Compare(a.User, b.User), a.Created.Compare(b.Created)) })
	return out
}

var errNoKey = errors.New("there is no such access key (`gatehouse iam access-key list` shows those that commands have made; others stand in the configuration)")

// Enable has a key taken again, or no more. It holds when Enable returns.
func (k *Keeper) Enable(ctx context.Context, id string, enabled bool) (*Key, error) {
	row, there := k.table.Get(id)
	if !there {
		return nil, errNoKey
	}
	key := &Key{}
	if err := json.Unmarshal(row.Value, key); err != nil {
		return nil, err
	}
	key.Enabled = enabled
	text, err := json.Marshal(key)
	if err != nil {
		return nil, err
	}
	if err := k.table.Update(ctx, id, text, row.Revision); err != nil {
		return nil, err
	}
	key.Secret = ""
	return key, nil
}

// Delete forgets a key.
func (k *Keeper) Delete(ctx context.Context, id string) error {
	row, there := k.table.Get(id)
	if !there {
		return errNoKey
	}
	return k.table.Delete(ctx, id, row.Revision)
}

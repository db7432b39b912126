package jwt

import (
	"bytes"
	"log/slog"
	"time"
)

// Fetched is a key set as it came from its URL, for a process that takes over:
// it verifies tokens from its first request on, though the issuer be down.
type Fetched struct {
	URL    string    `json:"url"`
	Listed string    `json:"listed,omitempty"` // the private addresses where its keys may be
	Trust  []byte    `json:"trust"`            // whom its server is trusted by
	Body   []byte    `json:"body"`
	At     time.Time `json:"at"`
}

// Fetched returns every key set that has come from a network.
func (k *Keeper) Fetched() []Fetched {
	var out []Fetched
	k.remotes.Each(func(at origin, r *remote) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.body != nil {
			out = append(out, Fetched{at.url, at.listed, at.trust[:], r.body, r.fetched})
		}
	})
	return out
}

// known returns what another process has fetched from an origin; nil for
// nothing.
func (k *Keeper) known(at origin) *Fetched {
	for i := range k.options.Fetched {
		if f := &k.options.Fetched[i]; f.URL == at.url && f.Listed == at.listed && bytes.Equal(f.Trust, at.trust[:]) {
			return f
		}
	}
	return nil
}

// begin puts keys to use that another process has fetched, until they are
// fetched anew. It is called before run.
func (r *remote) begin(f *Fetched) {
	if f == nil {
		return
	}
	set, err := parsePublic(f.Body)
	if err != nil {
		r.log.Warn("keys that were handed over cannot be used", slog.Any("error", err))
		return
	}
	r.install(set)
	r.body, r.fetched = f.Body, f.At
}

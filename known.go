package gatehouse

import (
	"encoding/json"

	"gatehouse/auth"
	"gatehouse/upstream"
)

// known is what a gateway tells the one that takes over, and what that would
// have to find out again. Each part stands by itself: one that a version does
// not know, or cannot read, is left.
type known struct {
	keys      []auth.Fetched
	upstreams upstream.Known
	secrets   map[string][]byte // in the state that is handed over
}

// The names of the parts. What a part holds may only be added to.
const (
	keysPart      = "keys"
	upstreamsPart = "upstreams"
	secretsPart   = "secrets"
)

// pack writes what the keepers know.
func (k *keepers) pack() map[string]json.RawMessage {
	out := make(map[string]json.RawMessage)
	put := func(name string, v any) {
		if text, err := json.Marshal(v); err == nil {
			out[name] = text
		}
	}
	put(keysPart, k.keys.Fetched())
	put(upstreamsPart, k.upstreams.Known())
	if !k.state.External() {
		put(secretsPart, k.vault.Known())
	}
	return out
}

// unpack reads what pack has written, in this version or another.
func unpack(parts map[string]json.RawMessage) (k known) {
	if json.Unmarshal(parts[keysPart], &k.keys) != nil {
		k.keys = nil
	}
	if json.Unmarshal(parts[upstreamsPart], &k.upstreams) != nil {
		k.upstreams = upstream.Known{}
	}
	if json.Unmarshal(parts[secretsPart], &k.secrets) != nil {
		k.secrets = nil
	}
	return k
}

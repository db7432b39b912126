package http1

import (
	"net/http"
	"strings"

	"gatehouse/http1/wire"
)

// announce takes the names of the trailer fields that a handler will set.
func (a *answer) announce(values []string) {
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if wire.TrailerAllowed(name) {
				a.trailer = append(a.trailer, name)
			}
		}
	}
}

// appendTrailer appends the trailer fields: those that were announced, and
// those with http.TrailerPrefix.
func (a *answer) appendTrailer(b []byte) []byte {
	for _, name := range a.trailer {
		for _, v := range a.header[name] {
			b = wire.AppendField(b, name, v)
		}
	}
	for name, values := range a.header {
		name, ok := strings.CutPrefix(name, http.TrailerPrefix)
		if !ok || !wire.TrailerAllowed(http.CanonicalHeaderKey(name)) {
			continue
		}
		for _, v := range values {
			b = wire.AppendField(b, name, v)
		}
	}
	return b
}

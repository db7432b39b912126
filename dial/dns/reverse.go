package dns

import (
	"context"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// MaxNames is how many names of one address an answer may make the gateway keep.
const MaxNames = 16

// Names returns the names that whoever has an address's reverse zone gives it, at
// most MaxNames, in small letters and without a final dot, and for how long that
// holds. They prove nothing by themselves: any zone may name any host. Files have no
// say. The error is always an *Error.
func (r *Resolver) Names(ctx context.Context, a netip.Addr) ([]string, time.Duration, error) {
	full, err := dns.ReverseAddr(a.Unmap().WithZone("").String())
	if err != nil {
		return nil, 0, &Error{Name: a.String(), Kind: Missing, Why: "not an address", TTL: longest}
	}
	plan := r.plan()
	ttl := longest
	for range maxChain {
		found, err := r.ask(ctx, plan, full, dns.TypePTR)
		if err != nil {
			return nil, 0, err
		}
		ttl = min(ttl, found.ttl)
		if len(found.names) > 0 {
			return found.names, ttl, nil
		}
		if found.alias == "" {
			return nil, 0, &Error{Name: full, Kind: Missing, Server: found.server, Why: found.why(), TTL: min(ttl, found.negative)}
		}
		full = found.alias
	}
	return nil, 0, &Error{Name: full, Kind: Failed, Why: "too many aliases"}
}

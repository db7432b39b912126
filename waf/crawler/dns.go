package crawler

import (
	"context"
	"net/netip"
	"time"

	"gatehouse/dial/dns"
)

// DNS is the house's resolver as a Resolver.
func DNS(r *dns.Resolver) Resolver { return inDNS{r} }

type inDNS struct{ *dns.Resolver }

// Addresses looks a name up as it is, without a search list.
func (d inDNS) Addresses(ctx context.Context, name string) ([]netip.Addr, time.Duration, error) {
	a, err := d.Resolver.Addresses(ctx, name+".")
	return a.Addrs, a.TTL, err
}

// Missing implements Resolver.
func (inDNS) Missing(err error) bool { return dns.NotFound(err) }

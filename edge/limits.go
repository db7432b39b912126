package edge

import (
	"net/netip"
	"sync"
)

// perAddress counts connections by client address. Its table is as large as
// there are connections, and no larger. It is safe for concurrent use.
type perAddress struct {
	mu    sync.Mutex
	table map[netip.Addr]int
}

// take counts one more connection of addr, and reports whether it stays
// within limit; where it does not, nothing is counted.
func (t *perAddress) take(addr netip.Addr, limit int) bool {
	key := limitKey(addr)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.table[key] >= limit {
		return false
	}
	if t.table == nil {
		t.table = make(map[netip.Addr]int)
	}
	t.table[key]++
	return true
}

// give takes back one take.
func (t *perAddress) give(addr netip.Addr) {
	key := limitKey(addr)
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.table[key]; n > 1 {
		t.table[key] = n - 1
	} else {
		delete(t.table, key)
	}
}

// limitKey returns the address that limits count: IPv4 whole, IPv6 by /64,
// since one client has a whole /64 at its disposal.
func limitKey(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return netip.Addr{} // not an IP socket: all share one count
	}
	return prefix.Addr()
}

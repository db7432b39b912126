package challenge

import (
	"hash/maphash"
	"net/netip"
	"strings"
	"sync/atomic"
)

// remembered is how many clearances are remembered that were opened.
const remembered = 1 << 12

// opened remembers clearances that were opened, so that a browser's next request
// costs no decryption. It is safe for concurrent use; where two have the same place
// the later stays.
type opened struct {
	seed    maphash.Seed
	entries [remembered]atomic.Pointer[clearance]
}

// clearance is one that was opened: for whom, and what it says.
type clearance struct {
	text    string
	host    string
	network netip.Prefix
	until   int64 // in seconds of Unix time
}

func newOpened() *opened { return &opened{seed: maphash.MakeSeed()} }

func (o *opened) place(text string) *atomic.Pointer[clearance] {
	return &o.entries[maphash.String(o.seed, text)%remembered]
}

// until returns what a clearance says; false for one that is not remembered for
// this host and network. Comparing takes no constant time, and tells nobody anything:
// the place is found by a hash of the whole text, so that no guess is near another.
func (o *opened) until(c *clearance) (int64, bool) {
	e := o.place(c.text).Load()
	if e == nil || e.text != c.text || e.host != c.host || e.network != c.network {
		return 0, false
	}
	return e.until, true
}

// keep remembers a clearance.
func (o *opened) keep(c clearance, until int64) {
	kept := &clearance{strings.Clone(c.text), strings.Clone(c.host), c.network, until}
	o.place(kept.text).Store(kept)
}

package geo

import (
	"crypto/sha256"
	"net/netip"

	"github.com/phuslu/iploc"
)

// Place is where an address is.
type Place struct {
	Country string // ISO 3166-1 alpha-2, in capitals; "" where it is not known
	Region  string // the part of ISO 3166-2 after the country's: "CA" of US-CA; "" where it is not known
}

// DB tells where addresses are. It is immutable, and safe for concurrent use.
type DB struct {
	own *database // nil for the program's own data
	// Sum tells databases apart by their content; zero for the program's own.
	Sum [sha256.Size]byte
}

// Embedded returns the program's own data, which knows countries alone. What of it
// comes compressed is made ready now, 11 MB of memory that stay: so that no request
// waits for it.
func Embedded() *DB {
	iploc.IPCountry(netip.IPv6Unspecified())
	return &DB{}
}

// Version says how old the program's own data is: the date of its release.
func Version() string { return iploc.Version }

// Country returns the country of an address, as ISO 3166-1 alpha-2 in capitals; ""
// where it is not known, as of addresses that are not public. It costs no
// allocation where the same record was asked for before.
func (d *DB) Country(a netip.Addr) string { return d.Place(a).Country }

// Region returns the region of an address with its country, as ISO 3166-2: "US-CA";
// "" where it is not known.
func (d *DB) Region(a netip.Addr) string {
	p := d.Place(a)
	if p.Country == "" || p.Region == "" {
		return ""
	}
	return p.Country + "-" + p.Region
}

// Regions reports whether the data may know regions.
func (d *DB) Regions() bool { return d.own != nil }

// Place returns where an address is. IPv4-mapped addresses are IPv4, and zones do
// not count.
func (d *DB) Place(a netip.Addr) Place {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return Place{}
	}
	if d.own != nil {
		return d.own.place(a)
	}
	if code := iploc.IPCountry(a); code != nowhere {
		return Place{Country: code}
	}
	return Place{}
}

// nowhere is the program's data's word for addresses of no country, as those are
// that are not public.
const nowhere = "ZZ"

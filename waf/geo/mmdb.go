package geo

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/oschwald/maxminddb-golang/v2"
)

// MaxFile is how large a database may be, in bytes.
const MaxFile = 256 << 20

// database is an operator's own.
type database struct {
	reader *maxminddb.Reader
	cache  [cached]atomic.Pointer[record]
}

// cached is how many records are kept decoded. A database of countries has about
// 300; one of cities has more, of which the busiest stay.
const cached = 1 << 12

// record is one that was decoded. Several addresses share it.
type record struct {
	offset uintptr
	place  Place
}

// Open reads a database in MaxMind's format. It keeps content, which must not be
// changed. One that knows no countries is refused.
func Open(content []byte) (*DB, error) {
	r, err := maxminddb.OpenBytes(content)
	if err != nil {
		return nil, fmt.Errorf("it is no database in MaxMind's format: %w", err)
	}
	d := &database{reader: r}
	if err := d.check(); err != nil {
		return nil, err
	}
	return &DB{own: d}, nil
}

// What is looked at for a country: networks, those without a record included, since
// the tree of a broken database may lead round in circles; and records.
const (
	maxNetworks = 100_000
	maxRecords  = 1_000
)

// check looks for a country in the first records, so that a database of something
// else is not taken for one that knows none.
func (d *database) check() error {
	networks, records := 0, 0
	for result := range d.reader.Networks(maxminddb.IncludeNetworksWithoutData()) {
		if result.Err() != nil || result.Found() {
			records++
			p, err := decode(result)
			if err != nil {
				return fmt.Errorf("it cannot be read: %w", err)
			}
			if p.Country != "" {
				return nil
			}
		}
		if networks++; networks == maxNetworks || records == maxRecords {
			break
		}
	}
	kind := d.reader.Metadata.DatabaseType
	return errors.New("it knows no countries: its kind is " + shorten(kind) + ", wanted one such as GeoLite2-Country")
}

// place returns where an address is; nowhere for a record that cannot be read.
func (d *database) place(a netip.Addr) Place {
	result := d.reader.Lookup(a)
	if !result.Found() {
		return Place{}
	}
	offset := result.Offset()
	at := &d.cache[offset*0x9e3779b97f4a7c15>>(64-12)]
	if known := at.Load(); known != nil && known.offset == offset {
		return known.place
	}
	p, err := decode(result)
	if err != nil {
		return Place{}
	}
	at.Store(&record{offset, p})
	return p
}

// decode reads a record by what the field's databases call things: MaxMind's and
// DB-IP's {"country": {"iso_code": ...}, "subdivisions": [{"iso_code": ...}]}, and
// flat ones with country_code or country.
func decode(result maxminddb.Result) (Place, error) {
	var all map[string]any
	if err := result.Decode(&all); err != nil {
		return Place{}, err
	}
	p := Place{Country: code(all["country"])}
	for _, key := range []string{"country_code", "registered_country"} {
		if p.Country == "" {
			p.Country = code(all[key])
		}
	}
	if list, _ := all["subdivisions"].([]any); len(list) > 0 {
		p.Region = region(list[0])
	} else if p.Region = region(all["region_code"]); p.Region == "" {
		p.Region = region(all["region"])
	}
	return p, nil
}

// code returns a country's code: a text of two letters, or the iso_code of a map.
func code(v any) string {
	if m, ok := v.(map[string]any); ok {
		v = m["iso_code"]
	}
	s, _ := v.(string)
	if len(s) != 2 || !isAlphanumeric(s) {
		return ""
	}
	return strings.Clone(strings.ToUpper(s))
}

// region returns a region's code, of one to three letters and digits.
func region(v any) string {
	if m, ok := v.(map[string]any); ok {
		v = m["iso_code"]
	}
	s, _ := v.(string)
	if len(s) == 0 || len(s) > 3 || !isAlphanumeric(s) {
		return ""
	}
	return strings.Clone(strings.ToUpper(s))
}

func isAlphanumeric(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

func shorten(s string) string {
	if s == "" {
		return "unknown"
	}
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}

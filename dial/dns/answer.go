package dns

import (
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	typeA    = dns.TypeA
	typeAAAA = dns.TypeAAAA
	typeSRV  = dns.TypeSRV
)

// longest is what no time to live is above (RFC 8767 section 4).
const longest = 7 * 24 * time.Hour

// found is what the answers to one name's questions come to.
type found struct {
	addrs    []netip.Addr
	records  []Record
	names    []string          // of an address
	extra    map[string]Answer // addresses that came with records, by host
	alias    string            // where the answers end, if it is not the name; "" else
	ttl      time.Duration     // of all that led to the above
	negative time.Duration     // for how long holds that there is nothing
	server   string
	code     string // NXDOMAIN, or "" where the name exists
}

func (f *found) why() string {
	if f.code != "" {
		return f.code
	}
	return "no records"
}

// add adds what an answer says. Only records of the name asked for, or of what
// it is an alias for, count.
func (f *found) add(m *dns.Msg) {
	q := m.Question[0]
	owner, ttl := q.Name, longest
	for range maxChain {
		alias, any := "", false
		for _, rr := range m.Answer {
			h := rr.Header()
			if h.Class != dns.ClassINET || !strings.EqualFold(h.Name, owner) {
				continue
			}
			if c, ok := rr.(*dns.CNAME); ok {
				alias = c.Target
				ttl = min(ttl, seconds(h.Ttl))
			} else if h.Rrtype == q.Qtype && f.record(rr) {
				any = true
				ttl = min(ttl, seconds(h.Ttl))
			}
		}
		if any {
			f.ttl = min(f.ttl, ttl)
			f.additional(m)
			return
		}
		if alias == "" {
			break
		}
		owner = alias
	}
	f.nothing(m, owner, ttl)
}

// nothing notes an answer without the records that were asked for.
func (f *found) nothing(m *dns.Msg, owner string, ttl time.Duration) {
	switch {
	case m.Rcode == dns.RcodeNameError:
		f.code = "NXDOMAIN"
	case !strings.EqualFold(owner, m.Question[0].Name) && len(m.Ns) == 0:
		f.alias = strings.ToLower(owner) // whoever answered did not follow it
	}
	f.ttl = min(f.ttl, ttl)
	negative := time.Duration(0)
	for _, rr := range m.Ns { // RFC 2308 section 5
		if soa, ok := rr.(*dns.SOA); ok {
			negative = seconds(min(soa.Hdr.Ttl, soa.Minttl))
		}
	}
	f.negative = min(f.negative, negative)
}

// record takes an address, a name or a place, and reports whether it did.
func (f *found) record(rr dns.RR) bool {
	if a, ok := address(rr); ok {
		if len(f.addrs) < MaxAddresses {
			f.addrs = append(f.addrs, a)
		}
		return true
	}
	if p, ok := rr.(*dns.PTR); ok {
		if len(f.names) < MaxNames {
			f.names = append(f.names, host(p.Ptr))
		}
		return true
	}
	s, ok := rr.(*dns.SRV)
	if !ok || s.Target == "." || s.Port == 0 {
		return false // "." says that the service is decidedly not there
	}
	if len(f.records) < MaxRecords {
		f.records = append(f.records, Record{Host: host(s.Target), Port: s.Port, Priority: s.Priority, Weight: s.Weight})
	}
	return true
}

// additional takes the addresses of records' hosts that came with them.
func (f *found) additional(m *dns.Msg) {
	if len(f.records) == 0 {
		return
	}
	f.extra = make(map[string]Answer)
	for _, rr := range m.Extra {
		a, ok := address(rr)
		if !ok || rr.Header().Class != dns.ClassINET {
			continue
		}
		name := host(rr.Header().Name)
		e, known := f.extra[name]
		if !known {
			e.TTL = longest
		}
		if len(e.Addrs) < MaxAddresses {
			e.Addrs = append(e.Addrs, a)
		}
		e.TTL = min(e.TTL, seconds(rr.Header().Ttl))
		f.extra[name] = e
	}
}

func address(rr dns.RR) (netip.Addr, bool) {
	switch rr := rr.(type) {
	case *dns.A:
		a, ok := netip.AddrFromSlice(rr.A)
		return a.Unmap(), ok
	case *dns.AAAA:
		a, ok := netip.AddrFromSlice(rr.AAAA)
		return a.Unmap(), ok
	}
	return netip.Addr{}, false
}

func host(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// seconds is a time to live; one with the highest bit set is none (RFC 2181
// section 8).
func seconds(ttl uint32) time.Duration {
	if ttl > 1<<31-1 {
		return 0
	}
	return min(time.Duration(ttl)*time.Second, longest)
}

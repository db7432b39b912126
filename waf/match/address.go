package match

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"gatehouse/config"
	"gatehouse/waf/geo"
)

// Source is whose address a statement is about. The zero Source is the client, as
// the gateway knows it: the peer, or whom trusted proxies speak for.
type Source struct {
	Header  string // the header that names addresses; "" for the client
	Place   Place
	Missing bool // a request whose header names no address matches
	Present bool // but for one that has no such header at all, as at AWS WAF
}

// Place is which address of a header counts.
type Place uint8

// The places.
const (
	First Place = iota
	Last
	Every // where one of them matches
)

// maxForwarded is how many addresses of a header are looked at, as in AWS WAF.
const maxForwarded = 5

// matches reports whether an address that the request came from passes f.
func (s *Source) matches(r *Request, f func(netip.Addr) bool) bool {
	if s.Header == "" {
		return f(r.X.Client)
	}
	var room [maxForwarded]netip.Addr
	list, ok := s.addresses(r.R.Header, room[:0])
	if !ok {
		return s.lacks(r)
	}
	return slices.ContainsFunc(list, f)
}

// lacks reports whether a request matches whose header names no address.
func (s *Source) lacks(r *Request) bool {
	return s.Missing && (!s.Present || len(r.R.Header.Values(s.Header)) > 0)
}

// addresses reads the header's addresses; false where one that counts is none.
func (s *Source) addresses(h http.Header, out []netip.Addr) ([]netip.Addr, bool) {
	all := h.Values(s.Header)
	if len(all) == 0 {
		return nil, false
	}
	switch s.Place {
	case First:
		text, _, _ := strings.Cut(all[0], ",")
		return appendAddress(out, text)
	case Last:
		text := all[len(all)-1]
		return appendAddress(out, text[strings.LastIndexByte(text, ',')+1:])
	}
	for _, line := range all {
		for text := range strings.SplitSeq(line, ",") {
			if len(out) == maxForwarded {
				return out, true
			}
			var ok bool
			if out, ok = appendAddress(out, text); !ok {
				return nil, false
			}
		}
	}
	return out, true
}

func appendAddress(out []netip.Addr, text string) ([]netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil {
		return nil, false
	}
	return append(out, a.Unmap()), true
}

// IPSet matches where the address is in a set.
type IPSet struct {
	Name   string
	Inline Addresses // in place of a name
	From   Source
}

type ipSet struct {
	set  Addresses
	from Source
}

func (n *IPSet) compile(c *Compiler, at config.Pos) Matcher {
	set := n.Inline
	if set == nil {
		var ok bool
		if set, ok = c.Scope.Sets[n.Name]; !ok {
			return c.unknown(at, "ip set", n.Name, sorted(c.Scope.Sets))
		}
	}
	return &ipSet{set, n.From}
}

func (m *ipSet) Match(r *Request) bool {
	if !m.from.matches(r, m.set.Contains) {
		return false
	}
	r.Found = Finding{What: "address"}
	return true
}

// Country matches where the address is in one of the countries.
type Country struct {
	Codes []string // ISO 3166-1 alpha-2, in capitals
	From  Source
}

type country struct {
	data  Countries
	codes []string
	from  Source
}

func (n *Country) compile(c *Compiler, at config.Pos) Matcher {
	if c.Scope.Countries == nil {
		return c.errorf(at, "this version does not know the countries of addresses")
	}
	c.Scope.Countries.Place(netip.IPv6Unspecified()) // what must be made ready is ready before a request comes
	return &country{c.Scope.Countries, n.Codes, n.From}
}

// Match also labels the request with the countries, and regions where they are
// known, of the addresses that it looked at, as AWS WAF does.
func (m *country) Match(r *Request) bool {
	matched := m.from.matches(r, func(a netip.Addr) bool {
		p := m.data.Place(a)
		if p.Country == "" {
			return false
		}
		m.note(r, p)
		if !slices.Contains(m.codes, p.Country) {
			return false
		}
		r.Found = Finding{What: "country", Text: p.Country}
		return true
	})
	if matched && r.Found.What == "" {
		r.Found = Finding{What: "country"}
	}
	return matched
}

// note tells the rules behind, and the log, where an address is.
func (m *country) note(r *Request, p geo.Place) {
	prefix := "awswaf:clientip:geo:"
	if m.from.Header != "" {
		prefix = "awswaf:forwardedip:geo:"
	} else {
		r.X.Country = p.Country
	}
	r.label(prefix + "country:" + p.Country)
	if p.Region != "" {
		r.label(prefix + "region:" + p.Country + "-" + p.Region)
	}
}

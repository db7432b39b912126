// Package forwarded reads the headers in which proxies name the client they
// speak for: X-Forwarded-For and Forwarded (RFC 7239). It believes only what
// trusted proxies say, from the nearest one on.
package forwarded

import (
	"net/netip"
	"net/textproto"
	"strings"
)

// MaxHops is how many addresses of a chain are looked at.
const MaxHops = 32

// Trust says who is a trusted proxy.
type Trust interface{ Trusts(netip.Addr) bool }

// Chain are the addresses from the peer towards the client, as far as trusted
// proxies vouch for them.
// The zero Chain is empty and ready to read into, once.
type Chain struct {
	addrs [MaxHops]netip.Addr
	n     int
}

// add takes the next address, and reports whether there may be another.
func (c *Chain) add(text string, trust Trust) bool {
	addr, ok := parseNode(text)
	if !ok {
		return false
	}
	c.addrs[c.n] = addr
	c.n++
	return c.n < MaxHops && trust.Trusts(addr)
}

// Client returns the last address that a trusted proxy vouched for; false where
// there is none.
func (c *Chain) Client() (netip.Addr, bool) {
	if c.n == 0 {
		return netip.Addr{}, false
	}
	return c.addrs[c.n-1], true
}

// Text writes the chain as X-Forwarded-For, with the peer at its end.
func (c *Chain) Text(peer netip.Addr) string {
	b := make([]byte, 0, 64)
	for i := c.n - 1; i >= 0; i-- {
		b = append(c.addrs[i].AppendTo(b), ", "...)
	}
	return string(peer.AppendTo(b))
}

// ReadList reads X-Forwarded-For from its end.
func (c *Chain) ReadList(values []string, trust Trust) {
	for i := len(values) - 1; i >= 0; i-- {
		rest, more := values[i], true
		for more {
			comma := strings.LastIndexByte(rest, ',')
			if !c.add(textproto.TrimString(rest[comma+1:]), trust) {
				return
			}
			more = comma >= 0
			if more {
				rest = rest[:comma]
			}
		}
	}
}

// Element is one hop of Forwarded.
type Element struct {
	Node, Proto, Host string
}

// ReadForwarded reads Forwarded (RFC 7239), and returns its last element. A
// header that is not well formed is not read at all.
func (c *Chain) ReadForwarded(values []string, trust Trust) Element {
	var all []Element
	for _, value := range values {
		for value != "" {
			e, rest, ok := parseElement(value)
			if !ok {
				return Element{}
			}
			all, value = append(all, e), rest
		}
	}
	if len(all) == 0 {
		return Element{}
	}
	for i := len(all) - 1; i >= 0; i-- {
		if !c.add(all[i].Node, trust) {
			break
		}
	}
	return all[len(all)-1]
}

// parseElement reads one element and returns what follows its comma.
func parseElement(s string) (e Element, rest string, ok bool) {
	for {
		s = strings.TrimLeft(s, " \t")
		name, after, found := strings.Cut(s, "=")
		if !found {
			return e, "", false
		}
		value, after, ok := parseValue(after)
		if !ok {
			return e, "", false
		}
		switch strings.ToLower(name) {
		case "for":
			e.Node = value
		case "proto":
			e.Proto = value
		case "host":
			e.Host = value
		}
		after = strings.TrimLeft(after, " \t")
		switch {
		case after == "":
			return e, "", true
		case after[0] == ',':
			return e, after[1:], true
		case after[0] != ';':
			return e, "", false
		}
		s = after[1:]
	}
}

// parseValue reads a token or a quoted string (RFC 9110 section 5.6.4).
func parseValue(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		end := strings.IndexAny(s, ";, \t")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], !strings.Contains(s[:end], `"`)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			i++
			if i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// parseNode reads an address as forwarding headers write it: bare, with a
// port, or with brackets. IPv4-mapped addresses are unmapped, zones refused.
func parseNode(s string) (netip.Addr, bool) {
	if len(s) > 64 || s == "" {
		return netip.Addr{}, false
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap(), addr.Zone() == ""
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if inner, ok := strings.CutSuffix(inner, "]"); ok {
			addr, err := netip.ParseAddr(inner)
			return addr.Unmap(), err == nil && addr.Zone() == ""
		}
	}
	pair, err := netip.ParseAddrPort(s)
	return pair.Addr().Unmap(), err == nil && pair.Addr().Zone() == ""
}

package nginx

import (
	"slices"
	"strings"

	"gatehouse/importer"
)

// api carries one server over.
func (c *converter) api(s *server) {
	if s.redirects && c.hasTLS(s) {
		return // the listener does it
	}
	a := &importer.API{Keys: importer.NewMap()}
	a.Notes = append(a.Notes, s.block.at())
	if !c.hosts(s, a) {
		c.config.Tail = append(c.config.Tail, a.Notes[1:]...)
		return
	}
	name := "default"
	if len(a.Domains) > 0 {
		name = nameOf(a.Domains[0])
	}
	a.Name = c.apis.Of(name, "api")
	for _, d := range s.all {
		if text := c.unknown(d, false); text != "" {
			a.Notes = append(a.Notes, text)
		}
	}
	t := &table{converter: c, server: s, api: a, seen: map[string]bool{}}
	t.build()
	t.hoist()
	c.config.APIs = append(c.config.APIs, a)
}

// hasTLS reports whether something listens with TLS where a server sends its
// clients.
func (c *converter) hasTLS(s *server) bool {
	for _, item := range c.config.Listen.Items() {
		if m, ok := item.(*importer.Map); ok && m.Has("redirect") {
			for _, l := range s.listeners {
				if m.Get("address") == l.address {
					return true
				}
			}
		}
	}
	return false
}

// nameOf makes an API's name of its first domain.
func nameOf(domain string) string {
	labels := strings.Split(strings.TrimPrefix(domain, "*."), ".")
	if len(labels) > 2 {
		labels = labels[:len(labels)-1]
	}
	if len(labels) > 1 && labels[0] == "www" {
		labels = labels[1:]
	}
	return strings.Join(labels, "-")
}

// hosts carries a server's names over, and reports whether there are any that
// are not another's.
func (c *converter) hosts(s *server, a *importer.API) bool {
	by := s.block
	if own := s.own("server_name"); len(own) > 0 {
		by = own[0]
	}
	taken := 0
	add := func(domain string) {
		switch other := c.domains[domain]; {
		case other == s:
		case other != nil:
			taken++
			a.Notes = append(a.Notes, c.grave(by, "the host "+domain+" is served by "+other.block.at()+" already: APIs are told apart by host, not by port"))
		default:
			c.domains[domain] = s
			a.Domains = append(a.Domains, domain)
		}
	}
	for _, name := range s.names {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		switch {
		case !strings.ContainsAny(name, "abcdefghijklmnopqrstuvwxyz0123456789"):
			// "", _ and the like: no host has such a name
		case strings.HasPrefix(name, "~"):
			a.Notes = append(a.Notes, c.note(by, "a host by regular expression ("+name+") has no counterpart: write it, or *.NAME"))
		case strings.HasPrefix(name, ".") && !strings.Contains(name, "*") && importer.IsDomain(name[1:]):
			add(name[1:])
			add("*" + name)
		case strings.HasSuffix(name, ".*"):
			a.Notes = append(a.Notes, c.note(by, "a host with any ending ("+name+") has no counterpart: write each"))
		case importer.IsDomain(strings.TrimPrefix(name, "*.")):
			add(name)
		default:
			a.Notes = append(a.Notes, c.note(by, name+" is no host name"))
		}
	}
	if len(a.Domains) > 0 {
		if s.isDefault() && c.several {
			a.Notes = append(a.Notes, "(nginx also gave it requests for hosts that no server names: here they get 404)")
		}
		return true
	}
	switch {
	case taken > 0:
		return false
	case !s.isDefault():
		a.Notes = append(a.Notes, c.note(by, "no host leads to it: it is not carried over"))
		return false
	case c.open != nil:
		a.Notes = append(a.Notes, c.grave(by, "requests for hosts that nobody names go to "+c.open.block.at()+" already: APIs are told apart by host, not by port"))
		return false
	}
	c.open = s
	return true
}

// isDefault reports whether a server gets the requests for hosts that nobody
// names.
func (s *server) isDefault() bool {
	return slices.ContainsFunc(s.listeners, func(l *listener) bool { return l.first == s })
}

package kong

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/importer"
)

// apis makes an API of every set of hosts that the same routes serve. A route
// without hosts serves every host, behind those that name it.
func (c *converter) apis() {
	byHost := map[string][]*route{}
	var hosts []string
	var anywhere []*route
	for _, r := range c.routes {
		if r.Get("snis").There() {
			c.config.Tail = append(c.config.Tail, c.note(r.Get("snis"), "snis: a route is found by host, whatever the TLS name: not carried over"))
		}
		if r.anyHost {
			anywhere = append(anywhere, r)
		}
		for _, host := range r.hosts {
			domain, ok := domainOf(host)
			if !ok {
				c.config.Tail = append(c.config.Tail, c.note(r.Get("hosts"), fmt.Sprintf("hosts: %q is no host name or *.NAME: write each host", host)))
				continue
			}
			if byHost[domain] == nil {
				hosts = append(hosts, domain)
			}
			if !slices.Contains(byHost[domain], r) {
				byHost[domain] = append(byHost[domain], r)
			}
		}
	}
	slices.Sort(hosts)
	done := map[string]bool{}
	for _, host := range hosts {
		if done[host] {
			continue
		}
		var same []string
		for _, other := range hosts {
			if slices.Equal(byHost[host], byHost[other]) {
				same, done[other] = append(same, other), true
			}
		}
		c.api(same, byHost[host], c.behind(byHost[host], anywhere))
	}
	if len(anywhere) > 0 {
		c.api(nil, anywhere, nil)
	}
}

// domainOf reads a host as Kong writes it: a name, *.NAME, or with a port.
func domainOf(host string) (string, bool) {
	name, _, _ := strings.Cut(host, ":")
	return name, importer.IsDomain(name)
}

// behind are the routes for every host that serve what those of a host leave.
func (c *converter) behind(own, anywhere []*route) (out []*route) {
	for _, r := range anywhere {
		if !slices.ContainsFunc(own, func(o *route) bool { return covers(o, r) }) {
			out = append(out, r)
		}
	}
	return out
}

// covers reports whether a route with hosts takes everything that another would:
// Kong tries it first, since it says more.
func covers(o, r *route) bool {
	if o.Get("methods").There() || o.Get("headers").There() {
		return false
	}
	paths := o.Get("paths").Texts()
	if len(paths) == 0 {
		return true
	}
	for _, p := range r.Get("paths").Texts() {
		if !slices.ContainsFunc(paths, func(prefix string) bool { return strings.HasPrefix(p, prefix) }) {
			return false
		}
	}
	return r.Get("paths").There() || slices.Contains(paths, "/")
}

// api writes one API. Routes that are behind serve what the first leave.
func (c *converter) api(domains []string, own, behind []*route) {
	a := &importer.API{Domains: domains, Keys: importer.NewMap()}
	name := "default"
	if len(domains) > 0 {
		name = strings.TrimPrefix(domains[0], "*.")
	}
	a.Name = c.names.Of(name, "api")
	seen := map[string]string{}
	for _, r := range slices.Concat(sorted(own), sorted(behind)) {
		for _, made := range c.route(r, a) {
			key := importer.MatchText(made.Match)
			if first := seen[key]; first != "" {
				a.Notes = append(a.Notes, c.note(r.Node, key+" is served by "+first+" already: not carried over"))
				continue
			}
			seen[key] = c.at(r.Node)
			a.Routes = append(a.Routes, made)
		}
	}
	for _, key := range []string{"cors", "addresses", "limits", "headers", "timeout"} {
		importer.Hoist(a, key)
	}
	c.config.APIs = append(c.config.APIs, a)
}

// sorted puts what Kong tries first to the front, where two would be one route.
func sorted(routes []*route) []*route {
	out := slices.Clone(routes)
	slices.SortStableFunc(out, func(a, b *route) int {
		return b.Get("regex_priority").Integer(0) - a.Get("regex_priority").Integer(0)
	})
	return out
}

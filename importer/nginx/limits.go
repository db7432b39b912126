package nginx

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"gatehouse/importer"
)

// zone is a limit_req_zone.
type zone struct {
	d    *Directive
	rate string
	per  string // "" where whom it counts has no counterpart
}

func (c *converter) addZone(d *Directive) {
	z := zone{d: d}
	name := ""
	for i, arg := range d.Args {
		switch {
		case i == 0:
			switch key := strings.Trim(strings.ReplaceAll(strings.ReplaceAll(arg, "{", ""), "}", ""), `"`); key {
			case "$binary_remote_addr", "$remote_addr":
				z.per = "ip"
			case "$server_name", "$host", "$http_host", "1", "":
				z.per = "route"
			}
		case strings.HasPrefix(arg, "zone="):
			name, _, _ = strings.Cut(strings.TrimPrefix(arg, "zone="), ":")
		case strings.HasPrefix(arg, "rate="):
			z.rate, _ = parseRate(strings.TrimPrefix(arg, "rate="))
		}
	}
	c.zones[name] = z
}

// throttles carries limit_req over.
func (c *converter) throttles(s *scope, all []*Directive) (list *importer.List, notes []string) {
	list = importer.NewList()
	for _, d := range all {
		var z zone
		burst, delayed := 0, true
		for _, arg := range d.Args {
			key, value, _ := strings.Cut(arg, "=")
			switch key {
			case "zone":
				z = c.zones[value]
			case "burst":
				burst, _ = strconv.Atoi(value)
			case "nodelay":
				delayed = false
			case "delay":
				delayed = true
			}
		}
		switch {
		case z.rate == "":
			notes = append(notes, c.grave(d, "its zone is not there, or has no rate: nothing is limited"))
			continue
		case z.per == "":
			notes = append(notes, c.grave(d, "whom it counts together ("+first(z.d.Args)+") has no counterpart: a throttle is per route, ip or principal"))
			continue
		case burst < 0 || burst > 1<<30-2:
			burst = 1<<30 - 2
		}
		m := importer.Flow().Put("rate", importer.Raw(z.rate)).Put("burst", burst+1).Put("per", z.per)
		if burst > 0 && delayed {
			notes = append(notes, c.note(d, "what comes too fast is refused with 429 and Retry-After, not delayed"))
		}
		list.Add(m)
	}
	if len(list.Items()) == 0 {
		return nil, notes
	}
	if status := s.arg("limit_req_status"); status != "" && status != "429" {
		notes = append(notes, fmt.Sprintf("(refused with 429 here, not %s)", status))
	}
	return list, notes
}

// access is what allow and deny come to.
type access struct {
	nobody      bool
	allow, deny []string
}

// addresses reads allow and deny, of which nginx takes the first that fits. Here
// a deny counts whatever is allowed.
func (c *converter) addresses(all []*Directive) (a access, notes []string) {
	open := true // whom no rule names
	type rule struct {
		*Directive
		prefix netip.Prefix
	}
	var rules []rule
	lastAllow := -1
	for _, d := range all {
		arg := first(d.Args)
		if arg == "all" {
			open = d.Name == "allow"
			break
		}
		text, ok := importer.Prefix(arg)
		if !ok {
			if d.Name == "deny" {
				notes = append(notes, c.grave(d, "addresses are IP addresses and prefixes: nobody is kept out by this line here"))
			} else {
				notes = append(notes, c.note(d, "addresses are IP addresses and prefixes: nobody is let in by this line here"))
			}
			continue
		}
		if d.Name == "allow" {
			lastAllow = len(rules)
		}
		rules = append(rules, rule{d, asPrefix(text)})
	}
	for i, r := range rules {
		text := strings.TrimSuffix(strings.TrimSuffix(r.prefix.String(), "/32"), "/128")
		if r.Name == "allow" {
			if !open {
				a.allow = append(a.allow, text)
			}
			continue
		}
		if !open && i > lastAllow {
			continue // nobody is let in any more
		}
		a.deny = append(a.deny, text)
		for _, before := range rules[:i] {
			if before.Name == "allow" && before.prefix.Overlaps(r.prefix) {
				notes = append(notes, c.note(before.Directive, "an exception from a deny has no counterpart: whom "+r.words()+" names is refused here"))
			}
		}
	}
	a.nobody = !open && len(a.allow) == 0
	return a, notes
}

func asPrefix(text string) netip.Prefix {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen())
	}
	prefix, _ := netip.ParsePrefix(text)
	return prefix
}

// put writes the section.
func (a access) put(m *importer.Map) {
	switch {
	case len(a.deny) > 0:
		m.Put("addresses", importer.Flow().Put("allow", a.allow).Put("deny", a.deny))
	default:
		m.Put("addresses", a.allow)
	}
}

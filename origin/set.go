package origin

import "strings"

// Set is origins compiled, to be asked whether one is among them. It never
// changes. The zero Set is empty.
type Set struct {
	all      bool
	exact    map[string]bool
	patterns []pattern
}

// pattern is an origin with a wildcard.
type pattern struct {
	scheme  string // with "://"
	suffix  string // of the host, with its leading "."; "" for a host without a wildcard
	host    string // of a host without a wildcard
	port    string // with ":"; "" for none
	anyPort bool
}

// NewSet returns the set of what is written in a list.
func NewSet(list []Origin) Set {
	o := Set{exact: make(map[string]bool, len(list))}
	for _, item := range list {
		s := string(item)
		switch {
		case s == "*":
			o.all = true
		case strings.Contains(s, "*"):
			o.patterns = append(o.patterns, newPattern(s))
		default:
			o.exact[s] = true
		}
	}
	return o
}

func newPattern(s string) pattern {
	scheme, host, _ := strings.Cut(s, "://")
	name, port := splitPort(host)
	p := pattern{scheme: scheme + "://", host: name, anyPort: port == "*"}
	if port != "" && !p.anyPort {
		p.port = ":" + port
	}
	if strings.HasPrefix(name, "*.") {
		p.suffix, p.host = name[1:], ""
	}
	return p
}

// All reports whether every origin is in the set.
func (o *Set) All() bool { return o.all }

// Exact returns the origins that are written out, without a wildcard.
func (o *Set) Exact() map[string]bool { return o.exact }

// Has reports whether an origin, as a browser sends it, is in the set.
func (o *Set) Has(origin string) bool {
	if o.all || o.exact[origin] {
		return true
	}
	for i := range o.patterns {
		if o.patterns[i].matches(origin) {
			return true
		}
	}
	return false
}

func (p *pattern) matches(origin string) bool {
	host, ok := strings.CutPrefix(origin, p.scheme)
	if !ok {
		return false
	}
	if p.anyPort {
		name, port := splitPort(host)
		if strings.HasSuffix(host, ":") || port != "" && !isPort(port) {
			return false
		}
		host = name
	} else if host, ok = strings.CutSuffix(host, p.port); !ok {
		return false
	}
	if p.suffix == "" {
		return host == p.host
	}
	labels, ok := strings.CutSuffix(host, p.suffix)
	return ok && isHost(labels) && labels[0] != '['
}

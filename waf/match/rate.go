package match

import (
	"net/netip"
	"strings"
	"time"

	"gatehouse/config"
	"gatehouse/waf/field"
	"gatehouse/waf/text"
)

// RateBased matches requests of those who send more than the limit within the
// window.
type RateBased struct {
	Limit  int
	Window time.Duration
	Keys   []Key
	When   *Statement // which requests count; nil for all
}

// Key is a part of what tells the counted apart.
type Key struct {
	Constant bool   // all requests are counted together
	IP       bool   // the address; IPv6 by /64
	From     Source // of IP
	Label    string // the labels of a namespace
	Field    *field.Spec
	Chain    text.Chain
}

type rate struct {
	counter int
	keys    []keyer
	when    Matcher // nil for all requests
}

type keyer struct {
	Key
	slot  int
	label *label
}

func (n *RateBased) compile(c *Compiler, at config.Pos) Matcher {
	if !c.Counted {
		return c.errorf(at, "this version does not count requests in web ACLs yet: write throttle: {rate: ..., per: ip} on the API or route")
	}
	m := &rate{}
	var names []string
	for _, key := range n.Keys {
		k := keyer{Key: key}
		switch {
		case key.Field != nil:
			k.slot = c.Plan.Slot(key.Field, key.Chain)
			names = append(names, key.Field.Key()+key.Chain.Key())
		case key.Label != "":
			k.label = newLabel(c, key.Label, true)
			names = append(names, "label "+key.Label)
		case key.IP:
			names = append(names, "ip "+key.From.Header)
		}
		m.keys = append(m.keys, k)
	}
	if n.When != nil {
		m.when = c.Compile(n.When)
	}
	m.counter = len(c.Rates)
	c.Rates = append(c.Rates, Rate{Name: c.Scope.Owner, Limit: n.Limit, Window: n.Window, Keys: strings.Join(names, ", ")})
	return m
}

// Match counts the request where it is one that counts, and has every key.
func (m *rate) Match(r *Request) bool {
	if m.when != nil && !m.when.Match(r) || r.Err() != nil {
		return false
	}
	var room [256]byte
	key := room[:0]
	for i := range m.keys {
		k := &m.keys[i]
		var ok bool
		if key, ok = k.append(key, r); !ok {
			return k.IP && k.From.lacks(r) && r.Err() == nil
		}
	}
	if r.Err() != nil || !r.Counters[m.counter].Over(key) {
		return false
	}
	r.Found = Finding{What: "rate"}
	return true
}

// append appends the request's key; false where it has none. Parts are told apart
// by their length, so that no two keys are written alike.
func (k *keyer) append(b []byte, r *Request) ([]byte, bool) {
	switch {
	case k.Constant:
		return b, true
	case k.IP:
		return k.appendAddress(b, r)
	case k.Field == nil:
		return k.appendLabels(b, r)
	}
	v := r.At(k.slot)
	if len(v.Parts) == 0 {
		return b, false
	}
	for i := range v.Parts {
		b = appendPart(b, v.Parts[i].Text)
	}
	return append(b, 0xff), true
}

func (k *keyer) appendAddress(b []byte, r *Request) ([]byte, bool) {
	a := r.X.Client
	if k.From.Header != "" {
		var room [1]netip.Addr
		list, ok := k.From.addresses(r.R.Header, room[:0])
		if !ok || len(list) == 0 {
			return b, false
		}
		a = list[0]
	}
	if !a.IsValid() {
		return b, false
	}
	if a.Is6() {
		whole := a.As16()
		return append(append(b, 6), whole[:8]...), true
	}
	four := a.As4()
	return append(append(b, 4), four[:]...), true
}

func (k *keyer) appendLabels(b []byte, r *Request) ([]byte, bool) {
	any := false
	for _, l := range r.X.Labels {
		if k.label.matches(l) {
			b = appendPart(b, l)
			any = true
		}
	}
	return append(b, 0xff), any
}

func appendPart(b []byte, s string) []byte {
	b = append(b, byte(len(s)>>24), byte(len(s)>>16), byte(len(s)>>8), byte(len(s)))
	return append(b, s...)
}

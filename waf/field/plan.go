package field

import "gatehouse/waf/text"

// Plan is what the statements of one ACL inspect, each once however many ask for
// it. It is filled while the ACL is compiled, and read by all its requests then.
type Plan struct {
	slots []slot
	known map[string]int
	body  bool
	tls   bool
	order bool
}

// slot is one spec as it came (of -1), or another slot's texts transformed.
type slot struct {
	spec  *Spec
	chain text.Chain
	of    int
}

// Slot returns the place of a spec's texts after a chain.
func (p *Plan) Slot(s *Spec, chain text.Chain) int {
	p.body = p.body || s.ReadsBody()
	p.tls = p.tls || s.Kind == JA3 || s.Kind == JA4
	p.order = p.order || s.Kind == HeaderOrder
	key := s.Key()
	raw := p.add(key, slot{spec: s, of: -1})
	if chain = chain.Clean(); len(chain) == 0 {
		return raw
	}
	return p.add(key+"|"+chain.Key(), slot{spec: s, chain: chain, of: raw})
}

func (p *Plan) add(key string, s slot) int {
	if at, ok := p.known[key]; ok {
		return at
	}
	if p.known == nil {
		p.known = make(map[string]int)
	}
	p.known[key] = len(p.slots)
	p.slots = append(p.slots, s)
	return len(p.slots) - 1
}

// ReadsBody reports whether some statement needs the body.
func (p *Plan) ReadsBody() bool { return p.body }

// WantsBody says that somebody reads the body without a slot.
func (p *Plan) WantsBody() { p.body = true }

// ReadsOrder reports whether some statement needs the order of headers.
func (p *Plan) ReadsOrder() bool { return p.order }

// ReadsHandshake reports whether some statement needs JA3 or JA4.
func (p *Plan) ReadsHandshake() bool { return p.tls }

package transform

import (
	"maps"
	"net/textproto"
	"slices"
)

// Over returns h with what base says beside it: of a header that both name, h
// decides. Either may be nil.
func (h *Headers) Over(base *Headers) *Headers {
	if h == nil {
		return base
	}
	if base == nil {
		return h
	}
	merged := *h
	merged.Request = h.Request.over(base.Request)
	merged.Response = h.Response.over(base.Response)
	return &merged
}

func (c Change) over(base Change) Change {
	own := c.names()
	keep := func(values map[string]Value) map[string]Value {
		out := make(map[string]Value, len(values))
		for name, v := range values {
			if !own[textproto.CanonicalMIMEHeaderKey(name)] {
				out[name] = v
			}
		}
		return out
	}
	out := Change{Set: keep(base.Set), Add: keep(base.Add)}
	maps.Copy(out.Set, c.Set)
	maps.Copy(out.Add, c.Add)
	out.Remove = slices.Concat(slices.DeleteFunc(slices.Clone(base.Remove), func(n Name) bool {
		return own[textproto.CanonicalMIMEHeaderKey(n.Text)]
	}), c.Remove)
	return out
}

// names returns the headers that c says anything about.
func (c Change) names() map[string]bool {
	out := make(map[string]bool)
	for _, values := range []map[string]Value{c.Set, c.Add} {
		for name := range values {
			out[textproto.CanonicalMIMEHeaderKey(name)] = true
		}
	}
	for _, name := range c.Remove {
		out[textproto.CanonicalMIMEHeaderKey(name.Text)] = true
	}
	return out
}

package transform

import (
	"maps"
	"net/http"
	"net/textproto"
	"slices"

	"gatehouse/exchange"
	"gatehouse/http1/wire"
)

// New returns the filter of cfg, or nil where cfg is nil or changes nothing. It
// changes the answers of the target and of what stands between: a refusal by a
// filter before it passes as it is.
func New(cfg *Headers) func(http.Handler) http.Handler {
	if cfg == nil {
		return nil
	}
	request, response := compile(&cfg.Request), compile(&cfg.Response)
	if request.empty() && response.empty() {
		return nil
	}
	rule := &exchange.Rule{Filter: "transform", Name: "headers", At: cfg.Pos}
	hook := func(h *exchange.Head) { response.apply(h.Header, h.Exchange, rule) }
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x := exchange.From(r)
			x.Trail.Add(rule, exchange.Changed, "")
			request.claim(r.Header)
			request.claim(r.Trailer)
			request.apply(r.Header, x, rule)
			if !response.empty() {
				x.OnHead(hook)
			}
			next.ServeHTTP(w, r)
		})
	}
}

// change is a Change compiled.
type change struct {
	remove []string
	set    []field
	add    []field
}

type field struct {
	name  string
	value template
}

func compile(c *Change) *change {
	out := &change{set: fields(c.Set), add: fields(c.Add)}
	for _, name := range c.Remove {
		out.remove = append(out.remove, textproto.CanonicalMIMEHeaderKey(name.Text))
	}
	return out
}

func fields(values map[string]Value) []field {
	var out []field
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if t, err := parseTemplate(values[name].Text); err == nil {
			out = append(out, field{textproto.CanonicalMIMEHeaderKey(name), t})
		}
	}
	return out
}

func (c *change) empty() bool { return len(c.remove)+len(c.set)+len(c.add) == 0 }

// claim takes out of what the client sent every field that a server could read
// as one that is set or removed here: behind CGI and its like "_" is "-", and at
// some of them so is all other punctuation. In a trailer the very name is one too.
func (c *change) claim(h http.Header) {
	for name := range h {
		for i := range c.set {
			if wire.Alike(name, c.set[i].name) {
				delete(h, name)
			}
		}
		for _, own := range c.remove {
			if wire.Alike(name, own) {
				delete(h, name)
			}
		}
	}
}

// apply changes h. A header whose value cannot be sent is left out; where it
// was to be set, the one that was there goes too, so that nobody takes the
// client's word for ours.
func (c *change) apply(h http.Header, x *exchange.Exchange, rule *exchange.Rule) {
	for _, name := range c.remove {
		delete(h, name)
	}
	for i := range c.set {
		f := &c.set[i]
		v, ok := f.value.value(x)
		if !ok {
			delete(h, f.name)
			x.Trail.Add(rule, exchange.Failed, "a value that no header can hold")
			continue
		}
		h[f.name] = []string{v}
	}
	for i := range c.add {
		f := &c.add[i]
		v, ok := f.value.value(x)
		if !ok {
			x.Trail.Add(rule, exchange.Failed, "a value that no header can hold")
			continue
		}
		h[f.name] = append(h[f.name], v)
	}
}

package respond

import (
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"

	"gatehouse/exchange"
)

// Variable is the value of a variable of $context.
type Variable struct {
	// Append appends the value, unescaped; nothing where it is not known.
	Append func(b []byte, x *exchange.Exchange, r *http.Request) []byte
	// Number says that the value is a number in JSON.
	Number bool
}

// New returns the form that c gives to refusals; nil for a nil c. Find returns
// one of Variables, or a claim; false for one that it does not know, which then
// stays empty.
func New(c *Config, find func(name string) (Variable, bool)) exchange.Responses {
	if c == nil {
		return nil
	}
	t := &table{}
	for kind, said := range c.Types {
		t.by[kind] = compile(kind, said, find)
	}
	return t
}

// table is a Config compiled.
type table struct {
	by [exchange.TypesOfResponse]*response
}

// of returns what there is for a refusal; nil for nothing.
func (t *table) of(f *exchange.Refusal) *response {
	for _, kind := range [...]exchange.ResponseType{f.Kind, wider(f.Kind), usual(f.Status)} {
		if r := t.by[kind]; r != nil {
			return r
		}
	}
	return nil
}

// wider is the type that stands for another one that nobody said anything
// about. API Gateway takes a path that it does not know for a request without a
// signature, and definitions say there what is to become of it.
func wider(kind exchange.ResponseType) exchange.ResponseType {
	switch kind {
	case exchange.ResourceNotFound:
		return exchange.MissingAuthenticationToken
	case exchange.ExpiredToken:
		return exchange.Unauthorized
	}
	return kind
}

func usual(status int) exchange.ResponseType {
	if status >= http.StatusInternalServerError {
		return exchange.Default5XX
	}
	return exchange.Default4XX
}

// response is a Response compiled.
type response struct {
	rule    *exchange.Rule
	status  int // 0 for the refusal's own
	headers []field
	bodies  []body
	offers  []media // of the bodies
	find    map[string]Variable
}

type field struct {
	name   string
	pieces []piece
}

type body struct {
	field  []string // Content-Type
	writer writer
}

func compile(kind exchange.ResponseType, said *Response, find func(string) (Variable, bool)) *response {
	out := &response{
		rule:   &exchange.Rule{Filter: "gateway-responses", Name: kind.String(), At: said.Pos},
		status: said.Status, find: make(map[string]Variable),
	}
	learn := func(text string) []piece {
		pieces, _ := parse(text) // Check told of what is wrong
		for _, p := range pieces {
			if p.source != context {
				continue
			}
			if v, ok := find(p.text); ok {
				out.find[p.text] = v
			}
		}
		return pieces
	}
	for _, name := range slices.Sorted(maps.Keys(said.Headers)) {
		out.headers = append(out.headers, field{textproto.CanonicalMIMEHeaderKey(name), learn(said.Headers[name].Value)})
	}
	for _, b := range said.Bodies {
		m, contentType, w, err := b.compile()
		if err != nil {
			continue
		}
		learn(b.Value)
		out.offers = append(out.offers, m)
		out.bodies = append(out.bodies, body{[]string{contentType}, w})
	}
	return out
}

// Respond implements exchange.Responses.
func (t *table) Respond(x *exchange.Exchange, r *http.Request, h http.Header) (int, []byte) {
	p := t.of(x.Refused)
	if p == nil {
		return 0, nil
	}
	x.Trail.Add(p.rule, exchange.Changed, "")
	v := p.values(x, r)
	for i := range p.headers {
		p.headers[i].set(h, v, x, p.rule)
	}
	if len(p.bodies) == 0 {
		return p.status, nil
	}
	b := &p.bodies[0]
	if len(p.bodies) > 1 {
		b = &p.bodies[choose(r.Header["Accept"], p.offers)]
		h["Vary"] = append(h["Vary"], "Accept")
	}
	text, err := b.writer.write(v)
	if err != nil {
		x.Trail.Add(p.rule, exchange.Failed, "the body could not be written")
		return p.status, nil
	}
	h["Content-Type"] = b.field
	if _, said := h["X-Content-Type-Options"]; !said {
		h["X-Content-Type-Options"] = []string{"nosniff"} // what a client brought is escaped for this type, not for a guess
	}
	return p.status, text
}

// set sets the header, unless its value is none that a header can hold: mended,
// one value could pass for another.
func (f *field) set(h http.Header, v values, x *exchange.Exchange, rule *exchange.Rule) {
	var b []byte
	for i := range f.pieces {
		p := &f.pieces[i]
		if p.source == literal {
			b = append(b, p.text...)
			continue
		}
		value, _ := v(nil, p)
		if f.name == "Location" {
			value = []byte(url.QueryEscape(string(value))) // no value adds a parameter, or another host
		}
		b = append(b, value...)
	}
	if !isFieldValue(b) {
		x.Trail.Add(rule, exchange.Failed, "a value that no header can hold")
		return
	}
	h[f.name] = []string{string(b)}
}

// values returns the variables of a refused request.
func (p *response) values(x *exchange.Exchange, r *http.Request) values {
	return func(b []byte, v *piece) ([]byte, bool) {
		switch v.source {
		case context:
			return p.context(b, v.text, x, r)
		case stage:
			return append(b, x.Variables[v.text]...), false
		case header:
			return append(b, clip(r.Header.Get(v.text))...), false
		case query:
			return append(b, clip(first(x.Path.Query, v.text))...), false
		case path:
			text, _ := x.Param(v.text)
			return append(b, clip(text)...), false
		}
		return b, false
	}
}

func (p *response) context(b []byte, name string, x *exchange.Exchange, r *http.Request) ([]byte, bool) {
	if name == "status" {
		return appendStatus(b, p.status, x), true
	}
	v, ok := p.find[name]
	if !ok {
		return b, false
	}
	return v.Append(b, x, r), v.Number
}

package field

import (
	"errors"
	"net/http"
	"slices"

	"gatehouse/exchange"
)

// Part is one text of a field.
type Part struct {
	Name string // what it is the value of, or the name that it is itself; "" where the field has one text
	Text string
	Key  bool // the text is a name
}

// Value is a field's texts.
type Value struct {
	Parts   []Part
	Over    bool // there is more than was taken out
	Invalid bool // it is not what the field wants: no JSON
	Absent  bool // the request cannot have it: a handshake without TLS
	done    bool
}

// Limits are what of bodies is inspected.
type Limits struct {
	Body   int  // bytes
	Beyond bool // what is beyond them passes, unseen; otherwise it is an error
	Unseen bool // bodies that cannot be inspected pass; otherwise they are an error
}

// The errors of a View, beside those of reading the body.
var (
	ErrBeyond = errors.New("the body is larger than what is inspected of bodies")
	ErrUnseen = errors.New("the body is a stream, which cannot be inspected")
)

// View is one request as the rules of an ACL see it. It serves one goroutine; it
// is used again for other requests.
type View struct {
	X *exchange.Exchange
	R *http.Request

	plan   *Plan
	limits Limits
	values []Value
	err    error
	body   whole
	pairs  []Part // the query's arguments, once they were asked for
	split  bool
}

// whole is the body, once it was asked for.
type whole struct {
	text  string
	over  bool
	asked bool
}

// Begin makes the view that of a request.
func (v *View) Begin(plan *Plan, limits Limits, x *exchange.Exchange, r *http.Request) {
	v.X, v.R, v.plan, v.limits = x, r, plan, limits
	if n := len(plan.slots); cap(v.values) < n {
		v.values = make([]Value, n)
	} else {
		v.values = v.values[:n]
	}
}

// End lets go of the request.
func (v *View) End() {
	for i := range v.values {
		parts := v.values[i].Parts
		clear(parts[:cap(parts)])
		if cap(parts) > keepParts {
			parts = nil
		}
		v.values[i] = Value{Parts: parts[:0]}
	}
	values, pairs := v.values[:cap(v.values)], v.pairs
	clear(pairs[:cap(pairs)])
	if cap(pairs) > keepParts {
		pairs = nil
	}
	*v = View{values: values[:0], pairs: pairs[:0]}
}

// keepParts is how many parts of a value a view keeps room for.
const keepParts = 256

// Err is why something could not be inspected: one of the errors above, or one of
// reading the body (exchange.BodyRefusal). Nothing that was decided without it
// holds.
func (v *View) Err() error { return v.err }

// At returns the texts of a slot. They are valid until End.
func (v *View) At(at int) *Value {
	value := &v.values[at]
	if value.done {
		return value
	}
	s := &v.plan.slots[at]
	if s.of < 0 {
		v.take(s.spec, value)
	} else {
		raw := v.At(s.of)
		value.Over, value.Invalid, value.Absent = raw.Over, raw.Invalid, raw.Absent
		value.Parts = slices.Grow(value.Parts, len(raw.Parts))
		for _, p := range raw.Parts {
			p.Text = s.chain.Apply(p.Text)
			value.Parts = append(value.Parts, p)
		}
	}
	value.done = true
	return value
}

func (value *Value) add(p Part) { value.Parts = append(value.Parts, p) }

// take takes a field out of the request.
func (v *View) take(s *Spec, value *Value) {
	switch s.Kind {
	case Method:
		value.add(Part{Text: v.R.Method})
	case Path:
		value.add(Part{Text: v.path()})
	case Query:
		value.add(Part{Text: v.X.Path.Query})
	case Argument, Arguments:
		v.arguments(s, value)
	case Header:
		v.header(s, value)
	case Headers:
		v.headers(s, value)
	case HeaderOrder:
		v.order(value)
	case Cookies:
		v.cookies(s, value)
	case Body:
		text, over := v.Body()
		value.Over = over
		v.decide(s, over)
		value.add(Part{Text: text})
	case JSON:
		v.json(s, value)
	case JA3, JA4:
		v.handshake(s, value)
	}
}

// path returns the canonical path, without a copy where the client sent that.
func (v *View) path() string {
	p := &v.X.Path
	var room [512]byte
	canonical := p.AppendCanonical(room[:0])
	if len(p.Segments) > 0 && string(canonical) == p.Raw {
		return p.Raw
	}
	return p.Canonical()
}

func (v *View) handshake(s *Spec, value *Value) {
	print := v.X.Conn.JA3
	if s.Kind == JA4 {
		print = v.X.Conn.JA4
	}
	if print == "" {
		value.Absent = true
		return
	}
	value.add(Part{Text: print})
}

package canary

import (
	"fmt"
	"net/http"
	"net/netip"

	"gatehouse/balance"
	"gatehouse/exchange"
)

// Claimer is a target that knows clients for its own, such as one that gave
// them a cookie.
type Claimer interface {
	Claims(x *exchange.Exchange, r *http.Request) bool
}

// Release is a canary with the two that it chooses between.
type Release struct {
	*Config
	Name           string            // of the canary's target, for people
	Scope          string            // what the canary is of: clients are drawn anew for each
	Variables      map[string]string // the stage's, as the canary sees them
	Stable, Canary http.Handler      // the targets
}

// New returns the filter that decides which of the two a request goes to: it
// sets x.Variant, and x.Variables for the canary. Nil for a nil Release.
func New(c *Release) func(http.Handler) http.Handler {
	if c == nil {
		return nil
	}
	f := filter{
		Release: c, wants: c.wants(),
		rule: &exchange.Rule{Filter: "canary", Name: c.Name, At: c.Pos},
	}
	if c.Weight != nil {
		f.portion = balance.NewPortion(balance.Percent(*c.Weight))
		f.rule.Name = fmt.Sprintf("%v %% %s", *c.Weight, c.Name)
		f.drawn, f.all = *c.Weight > 0, *c.Weight == 100
	}
	f.stable, _ = c.Stable.(Claimer)
	f.canary, _ = c.Canary.(Claimer)
	return func(next http.Handler) http.Handler {
		f := f
		f.next = next
		return &f
	}
}

// Target returns the target of a route with a canary: that of the variant which
// the filter has chosen.
func (c *Release) Target() http.Handler {
	stable, canary := c.Stable, c.Canary
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if exchange.From(r).Variant == exchange.Canary {
			canary.ServeHTTP(w, r)
			return
		}
		stable.ServeHTTP(w, r)
	})
}

// filter is one step of a route's path. It is immutable, but for the count of
// its portion.
type filter struct {
	*Release
	rule           *exchange.Rule
	wants          map[string]string
	portion        *balance.Portion // nil without a weight
	drawn          bool             // some are drawn for the canary
	all            bool             // all are
	stable, canary Claimer
	next           http.Handler
}

func (f *filter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	asked, why := f.choose(x, r)
	if asked {
		x.Variant, x.Variables = exchange.Canary, f.Variables
		x.Trail.Add(f.rule, exchange.Changed, why)
	} else {
		x.Variant = exchange.Stable
		x.Trail.Add(f.rule, exchange.Passed, why)
	}
	f.next.ServeHTTP(w, r)
}

// choose reports whether a request goes to the canary, and why.
func (f *filter) choose(x *exchange.Exchange, r *http.Request) (canary bool, why string) {
	switch f.byHeader(r) {
	case yes:
		return true, "canary: the header asks for it"
	case no:
		return false, "stable: the header asks for it"
	}
	switch f.byCookie(r) {
	case yes:
		return true, "canary: the cookie asks for it"
	case no:
		return false, "stable: the cookie asks for it"
	}
	if f.portion == nil {
		return false, "stable: nothing asks for the canary"
	}
	switch f.claimed(x, r) {
	case yes:
		return true, "canary: it has the client's session"
	case no:
		return false, "stable: it has the client's session"
	}
	if f.draw(x, r) {
		return true, "canary: by weight"
	}
	return false, "stable: by weight"
}

// word is what a client says of the canary.
type word uint8

const (
	nothing word = iota
	yes
	no
)

// byHeader is yes where all headers have the values that ask for the canary.
func (f *filter) byHeader(r *http.Request) word {
	if len(f.wants) == 0 {
		return nothing
	}
	said := yes
	for name, want := range f.wants {
		values := r.Header[name]
		switch {
		case len(values) == 1 && values[0] == never:
			return no
		case len(values) != 1 || want != "*" && values[0] != want:
			said = nothing
		}
	}
	return said
}

func (f *filter) byCookie(r *http.Request) word {
	if f.Cookie.Name == "" {
		return nothing
	}
	value, ok := exchange.Cookie(r, f.Cookie.Name)
	switch {
	case ok && value == never:
		return no
	case ok && (value == f.Cookie.Value || f.Cookie.Value == "*"):
		return yes
	}
	return nothing
}

// claimed asks the targets whose session the client has. A canary that nobody
// is drawn for any more keeps nobody, and neither does a stable one that nobody
// is left to.
func (f *filter) claimed(x *exchange.Exchange, r *http.Request) word {
	canary := f.drawn && f.canary != nil && f.canary.Claims(x, r)
	stable := !f.all && f.stable != nil && f.stable.Claims(x, r)
	switch {
	case canary && !stable:
		return yes
	case stable && !canary:
		return no
	}
	return nothing
}

// draw reports whether the request is among the canary's share.
func (f *filter) draw(x *exchange.Exchange, r *http.Request) bool {
	if f.Sticky.By == "" {
		return f.portion.Next()
	}
	return f.portion.Holds(f.key(x, r))
}

// key is what a client is drawn by. The scope is part of it, so that not the
// same clients are drawn everywhere.
func (f *filter) key(x *exchange.Exchange, r *http.Request) uint64 {
	var space [160]byte
	b := append(space[:0], f.Scope...)
	b = append(b, 0)
	switch f.Sticky.By {
	case "principal":
		if x.Principal != nil {
			return balance.KeyOf(append(b, x.Principal.ID...))
		}
	case "cookie":
		if value, ok := exchange.Cookie(r, f.Sticky.Name); ok && value != "" {
			return balance.KeyOf(append(b, value...))
		}
	}
	return balance.KeyOf(appendAddress(b, x.Client))
}

// appendAddress appends a client's address: of IPv6 the /64, the least that one
// subscriber has and moves within.
func appendAddress(b []byte, client netip.Addr) []byte {
	a := client.As16()
	if client.Is6() {
		return append(b, a[:8]...)
	}
	return append(b, a[:]...)
}

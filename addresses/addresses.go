package addresses

import (
	"net/http"
	"net/netip"
	"strconv"

	"gatehouse/config"
	"gatehouse/exchange"
)

// New returns the filter that lets requests pass by their client's address; nil
// where c says nothing. The client is whom trusted proxies speak for, else the
// peer (Exchange.Client).
func New(c *Config) func(http.Handler) http.Handler {
	if c == nil {
		return nil
	}
	f := filter{}
	for _, l := range c.levels {
		if l.allow != nil && f.allow == nil {
			f.allow, f.allowed = l.allow, rule("allow", l.allow, l.at)
		}
		if l.deny != nil {
			f.denies = append(f.denies, deny{l.deny, rule("deny", l.deny, l.at)})
		}
	}
	return func(next http.Handler) http.Handler {
		f := f
		f.next = next
		return &f
	}
}

func rule(what string, s *Set, at config.At) *exchange.Rule {
	text := strconv.Itoa(s.Len()) + " ranges"
	if s.Len() == 1 {
		text = "1 range"
	}
	return &exchange.Rule{Filter: "addresses", Name: what + " " + text, At: at.Of(what)}
}

// filter is one step of a route's path. It is immutable.
type filter struct {
	allow   *Set // nil: all
	allowed *exchange.Rule
	denies  []deny
	next    http.Handler
}

type deny struct {
	set  *Set
	rule *exchange.Rule
}

func (f *filter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	if rule := f.denied(x.Client); rule != nil {
		exchange.Refuse(w, r, exchange.Refusal{
			Status: http.StatusForbidden, Rule: rule, Reason: "address-denied", Detail: "the client's address is denied",
		})
		return
	}
	if f.allow != nil && !f.allow.Contains(x.Client) {
		exchange.Refuse(w, r, exchange.Refusal{
			Status: http.StatusForbidden, Rule: f.allowed, Reason: "address-not-allowed", Detail: "the client's address is not among those that are allowed",
		})
		return
	}
	x.Trail.Add(f.rule(), exchange.Passed, "")
	f.next.ServeHTTP(w, r)
}

// denied returns the rule that denies an address; nil for none. Whoever has no
// address is denied.
func (f *filter) denied(a netip.Addr) *exchange.Rule {
	for i := range f.denies {
		if d := &f.denies[i]; d.set.Contains(a) || !a.IsValid() {
			return d.rule
		}
	}
	return nil
}

// rule is the one that a request which passes is noted by.
func (f *filter) rule() *exchange.Rule {
	if f.allowed != nil {
		return f.allowed
	}
	return f.denies[0].rule
}

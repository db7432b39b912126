package compress

import (
	"net/http"
	"strings"

	"gatehouse/exchange"
)

// New returns the filter that codes answers; nil where cfg is nil or off.
//
// An answer is coded where the client takes a coding that is offered, and
// nothing speaks against it: see judge. gRPC and WebSockets pass untouched.
func New(cfg *Config, k *Keeper) func(http.Handler) http.Handler {
	if cfg == nil || cfg.Off {
		return nil
	}
	p := newPolicy(cfg, k)
	return func(next http.Handler) http.Handler {
		return &filter{policy: p, next: next}
	}
}

// policy is a Config compiled.
type policy struct {
	keeper    *Keeper
	rule      *exchange.Rule
	offers    []coding
	shops     [codings]shop
	minimum   int // bytes of a body
	types     types
	crossSite bool
}

func newPolicy(cfg *Config, k *Keeper) *policy {
	p := &policy{
		keeper: k, offers: offersOf(cfg), shops: shops[cfg.Level],
		minimum: int(cfg.MinSize), types: newTypes(cfg.Types), crossSite: cfg.CrossSite,
	}
	p.rule = &exchange.Rule{Filter: "compress", Name: ruleName(p.offers), At: cfg.Pos}
	return p
}

func offersOf(cfg *Config) []coding {
	var out []coding
	for _, a := range cfg.Algorithms {
		if c, ok := codingOf(string(a)); ok {
			out = append(out, c)
		}
	}
	return out
}

func ruleName(offers []coding) string {
	var list []string
	for _, c := range offers {
		list = append(list, c.String())
	}
	return strings.Join(list, " or ")
}

type filter struct {
	*policy
	next http.Handler
}

func (f *filter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !passesBy(r) {
		exchange.From(r).OnHead(f.ask(r).hook)
	}
	f.next.ServeHTTP(w, r)
}

// passesBy reports requests whose answers have framings and compression of
// their own: WebSocket handshakes, and gRPC.
func passesBy(r *http.Request) bool {
	if len(r.Header["Upgrade"]) > 0 {
		return true
	}
	t := r.Header["Content-Type"]
	return len(t) > 0 && isNever(t[0])
}

// risky reports a request by which a page of another site may be guessing at a
// secret that the answer holds (BREACH): it can choose what the answer repeats,
// its reader's cookies fetch the secret, and who sees the wire sees how well
// both compress together. Browsers say where a request comes from, and whether
// the reader made it, by a click.
func risky(h http.Header) bool {
	site, user := h["Sec-Fetch-Site"], h["Sec-Fetch-User"]
	if len(site) == 0 || site[0] != "cross-site" || len(user) > 0 {
		return false
	}
	if len(h["Cookie"]) > 0 {
		return true
	}
	// A bearer token is the page's own; other schemes are the browser's.
	for _, v := range h["Authorization"] {
		if len(v) < 7 || !strings.EqualFold(v[:7], "bearer ") {
			return true
		}
	}
	return false
}

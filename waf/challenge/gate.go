package challenge

import (
	"crypto/rand"
	"encoding/binary"
	"net/http"
	"strings"
	"time"

	"gatehouse/exchange"
)

// Keeper remembers which challenges were solved, over reloads. It is safe for
// concurrent use.
type Keeper struct {
	spent *spent
	seals func() (Seals, error)
}

// NewKeeper returns a Keeper. Seals is asked where a configuration challenges
// anybody.
func NewKeeper(seals func() (Seals, error)) *Keeper {
	return &Keeper{newSpent(MaxSpent), seals}
}

// Gate challenges the clients of one web ACL. It is immutable, and safe for
// concurrent use.
type Gate struct {
	acl     string
	cookies [2]string // the name of the clearance's cookie: without TLS, and with
	config  Config
	seals   Seals
	opened  *opened
}

// Gate returns the gate of a web ACL, by its name.
func (k *Keeper) Gate(acl string, c Config) (*Gate, error) {
	seals, err := k.seals()
	if err != nil {
		return nil, err
	}
	name := "gatehouse-clearance-" + acl
	return &Gate{acl: acl, cookies: [2]string{name, "__Host-" + name}, config: c.filled(), seals: seals, opened: newOpened()}, nil
}

// cookie returns the name of the clearance's cookie. Over TLS its prefix has
// browsers refuse one that came by other ways.
func (g *Gate) cookie(tls bool) string {
	if tls {
		return g.cookies[1]
	}
	return g.cookies[0]
}

// maxClearance is how long the text of a clearance may be.
const maxClearance = 256

// Cleared reports whether the client has solved a challenge, and may pass. A
// clearance that was looked at before costs no more than a comparison.
func (g *Gate) Cleared(x *exchange.Exchange, r *http.Request) bool {
	text, ok := exchange.Cookie(r, g.cookie(x.Conn.TLS))
	if !ok || len(text) > maxClearance {
		return false
	}
	c := clearance{text: text, host: x.Host, network: network(x.Client)}
	until, known := g.opened.until(&c)
	if !known {
		plain, ok := g.seals.Open(purpose("clearance", x.Host, x.Client, g.acl), text)
		if !ok || len(plain) != 8 {
			return false
		}
		until = int64(binary.BigEndian.Uint64(plain))
		g.opened.keep(c, until)
	}
	return x.Start.Unix() < until
}

// clear gives the client a clearance.
func (g *Gate) clear(h http.Header, x *exchange.Exchange) {
	until := x.Start.Add(g.config.Immunity.D())
	text := g.seals.Seal(purpose("clearance", x.Host, x.Client, g.acl), binary.BigEndian.AppendUint64(nil, uint64(until.Unix())))
	c := http.Cookie{
		Name: g.cookie(x.Conn.TLS), Value: text, Path: "/", MaxAge: int(g.config.Immunity.D() / time.Second),
		Secure: x.Conn.TLS, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	h.Add("Set-Cookie", c.String())
}

// Challenge answers a request that may not pass: a person's navigation gets the page
// that solves a challenge and comes again, everybody else a refusal. Both say
// x-amzn-waf-action: challenge, as AWS WAF does.
func (g *Gate) Challenge(w http.ResponseWriter, r *http.Request, rule *exchange.Rule) {
	x := exchange.From(r)
	if !isNavigation(r) {
		exchange.Refuse(w, r, exchange.Refusal{
			Status: http.StatusForbidden, Rule: rule, Reason: "challenge", Kind: exchange.WAFFiltered,
			Detail: "challenged, and no browser's navigation", Header: http.Header{action: {"challenge"}},
		})
		return
	}
	t := task{difficulty: g.config.Difficulty, set: x.Start, acl: g.acl}
	_, _ = rand.Read(t.nonce[:]) // never fails
	token := g.seals.Seal(purpose("challenge", x.Host, x.Client, ""), t.encode())
	x.Trail.Add(rule, exchange.Answered, "challenged")
	writePage(w, x, &t, token)
}

// action says what the gateway wants of the client.
const action = "X-Amzn-Waf-Action"

// isNavigation reports a request that a person made by a link, a bookmark or the
// address bar, by Fetch Metadata where the browser sends it.
func isNavigation(r *http.Request) bool {
	h := r.Header
	if r.Method != http.MethodGet || h.Get("Upgrade") != "" || h.Get("X-Requested-With") != "" {
		return false
	}
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return false
	}
	switch h.Get("Sec-Fetch-Dest") {
	case "", "document", "iframe", "frame":
		return acceptsHTML(h["Accept"])
	}
	return false
}

// acceptsHTML reports whether text/html is named: programs that take anything do
// not name it.
func acceptsHTML(fields []string) bool {
	for _, field := range fields {
		for part := range strings.SplitSeq(field, ",") {
			name, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(name), "text/html") {
				return true
			}
		}
	}
	return false
}

package websocket

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"gatehouse/exchange"
	"gatehouse/origin"
)

// Callers counts the tunnels that are open by their callers.
type Callers interface {
	// Enter counts one more of a caller, and reports whether it had fewer than
	// limit. Leave ends what an Enter that reported true began.
	Enter(caller string, limit int) bool
	Leave(caller string)
}

// Policy is a Config compiled. It never changes.
type Policy struct {
	config  Config
	rule    *exchange.Rule
	origins func(string) bool // pages of other hosts that may; nil for none
	callers Callers
}

// New returns the policy of cfg, of Default for a nil one; nil where it is off.
// CORS reports whether a page may call by the API's own cors; nil for none.
func New(cfg *Config, cors func(string) bool, callers Callers) *Policy {
	if cfg == nil {
		cfg = Default()
	}
	if cfg.Off {
		return nil
	}
	p := &Policy{config: *cfg, rule: &exchange.Rule{Filter: "websocket", Name: "handshake", At: cfg.Pos}, origins: cors, callers: callers}
	if len(cfg.Origins) > 0 {
		set := origin.NewSet(cfg.Origins)
		p.origins = set.Has
	}
	return p
}

// Around returns a handler that leads handshakes which may become tunnels to
// sockets, and whatever is no handshake to plain. A nil Policy leads everything
// to plain: a handshake is a GET like others. Handshakes are what edge has left
// an Upgrade: sockets finds x.Tunnel set.
func (p *Policy) Around(plain, sockets http.Handler) http.Handler {
	if p == nil {
		return plain
	}
	return &filter{p, plain, sockets}
}

type filter struct {
	*Policy
	plain, sockets http.Handler
}

// ServeHTTP implements http.Handler.
func (f *filter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.Header["Upgrade"]) == 0 {
		f.plain.ServeHTTP(w, r)
		return
	}
	x := exchange.From(r)
	if refusal, bad := f.judge(x, r); bad {
		exchange.Refuse(w, r, refusal)
		return
	}
	caller := callerOf(x)
	if !f.callers.Enter(caller, f.config.PerCaller) {
		exchange.Refuse(w, r, f.refusal(http.StatusTooManyRequests, "tunnel-limit", "the caller has as many tunnels open as it may"))
		return
	}
	leave := func() { f.callers.Leave(caller) }
	x.Trail.Add(f.rule, exchange.Passed, "")
	x.Tunnel = &exchange.Tunnel{MaxAge: f.config.MaxAge.D(), Idle: f.config.Idle.D()}
	if f.config.WithToken {
		x.Tunnel.Until = expiry(x.Principal)
	}
	opened := false
	defer func() {
		if !opened {
			leave()
		}
	}()
	f.sockets.ServeHTTP(w, r)
	if run := x.Tunnel.Run; run != nil {
		opened = true
		x.Tunnel.Run = func() {
			defer leave()
			run()
		}
	}
}

// Claims passes on what plain says of clients that it knows for its own.
func (f *filter) Claims(x *exchange.Exchange, r *http.Request) bool {
	c, ok := f.plain.(interface {
		Claims(x *exchange.Exchange, r *http.Request) bool
	})
	return ok && c.Claims(x, r)
}

func (f *filter) refusal(status int, reason, detail string) exchange.Refusal {
	return exchange.Refusal{Status: status, Rule: f.rule, Reason: reason, Detail: detail}
}

// judge refuses a handshake that is not well formed (RFC 6455 section 4.2.1), or
// comes from a page that may not open a WebSocket here.
func (f *filter) judge(x *exchange.Exchange, r *http.Request) (exchange.Refusal, bool) {
	if v := r.Header["Sec-Websocket-Version"]; len(v) != 1 || v[0] != "13" {
		refusal := f.refusal(http.StatusUpgradeRequired, "websocket-version", "Sec-WebSocket-Version is not 13")
		refusal.Header = http.Header{"Sec-Websocket-Version": {"13"}, "Upgrade": {"websocket"}}
		return refusal, true
	}
	// Over HTTP/2 there is no key (RFC 8441 section 5).
	if key := r.Header["Sec-Websocket-Key"]; r.ProtoMajor == 1 && (len(key) != 1 || !ValidKey(key[0])) {
		return f.refusal(http.StatusBadRequest, "websocket-key", "Sec-WebSocket-Key is not 16 bytes in base64"), true
	}
	from := r.Header["Origin"]
	switch {
	case len(from) == 0: // no browser
		return exchange.Refusal{}, false
	case len(from) == 1 && (sameHost(x, r, from[0]) || f.origins != nil && f.origins(from[0])):
		return exchange.Refusal{}, false
	}
	return f.refusal(http.StatusForbidden, "origin", "pages of this origin may open no WebSocket here (websocket.origins, or those of cors)"), true
}

// ValidKey reports whether s is 16 bytes in base64 as RFC 6455 section 4.1 asks
// for.
func ValidKey(s string) bool {
	if len(s) != 24 || s[22:] != "==" {
		return false
	}
	var b [18]byte
	n, err := base64.StdEncoding.Decode(b[:], []byte(s))
	return err == nil && n == 16
}

// sameHost reports whether a page is the requested host's own. To browsers the
// host is what it was before a trusted proxy.
func sameHost(x *exchange.Exchange, r *http.Request, from string) bool {
	host, scheme := r.Host, "http"
	if x.Conn.TLS {
		scheme = "https"
	}
	if x.Conn.Trusted {
		host, scheme = last(r.Header["X-Forwarded-Host"], host), last(r.Header["X-Forwarded-Proto"], scheme)
	}
	name, ok := strings.CutPrefix(from, scheme+"://")
	usual := map[string]string{"http": ":80", "https": ":443"}[scheme]
	return ok && strings.EqualFold(strings.TrimSuffix(name, usual), strings.TrimSuffix(host, usual))
}

func last(values []string, fallback string) string {
	if len(values) == 0 {
		return fallback
	}
	return values[len(values)-1]
}

// callerOf returns by what tunnels are counted: the principal, or a stranger's
// address.
func callerOf(x *exchange.Exchange) string {
	if x.Principal != nil {
		return x.Principal.ID
	}
	a := x.Client
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			a = p.Masked().Addr()
		}
	}
	return addressKey(a)
}

// addressKey is no principal's ID: those begin with their kind and a colon.
func addressKey(a netip.Addr) string { return " " + a.String() }

// expiry returns when a principal's credential ends; zero where it does not say.
func expiry(p *exchange.Principal) time.Time {
	if p == nil {
		return time.Time{}
	}
	n, ok := p.Claims["exp"].(json.Number)
	if !ok {
		return time.Time{}
	}
	seconds, err := n.Float64()
	if err != nil || seconds <= 0 || seconds > 1<<40 {
		return time.Time{}
	}
	return time.Unix(0, 0).Add(time.Duration(min(seconds, 9e9)) * time.Second)
}

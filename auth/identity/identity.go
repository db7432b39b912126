package identity

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"
	"unsafe"

	"gatehouse/auth/devkey"
	"gatehouse/auth/recall"
	"gatehouse/exchange"
	"gatehouse/http1/wire"
)

// Issuer is who the gateway's tokens say to be from.
const Issuer = "gatehouse"

// remembered is how many callers' tokens a route remembers.
const remembered = 1 << 12

// New returns the filter that tells services who calls; nil where c tells nothing. It
// stands in front of published routes too: there nobody calls, and a client's word
// for it is removed all the same. Keys sign tokens; they may be nil where c has none.
func New(c *Config, keys *Keys) func(http.Handler) http.Handler {
	if c == nil || len(c.Headers) == 0 && c.Token == nil {
		return nil
	}
	f := filter{rule: &exchange.Rule{Filter: "identity", Name: "what services are told", At: c.Pos}}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		what := c.Headers[name].What
		h := header{name: textproto.CanonicalMIMEHeaderKey(name), what: what}
		if claim, is := strings.CutPrefix(what, "claims."); is {
			h.claim = claim
		}
		f.headers = append(f.headers, h)
		f.names = append(f.names, h.name)
	}
	if c.Token != nil && keys != nil {
		f.token = &issuing{keys: keys, audience: c.Token.Audience, ttl: c.Token.TTL.D(), claims: c.Token.Claims, header: textproto.CanonicalMIMEHeaderKey(c.Token.Header), issued: recall.New[issued](remembered)}
		f.names = append(f.names, f.token.header)
	}
	return func(next http.Handler) http.Handler {
		f := f
		f.next = next
		return &f
	}
}

// filter is the step of a route's path. It is immutable but for what it remembers.
type filter struct {
	headers []header
	token   *issuing
	names   []string // of all headers that are ours
	rule    *exchange.Rule
	next    http.Handler
}

type header struct{ name, what, claim string }

func (f *filter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	f.claim(r.Header)
	f.claim(r.Trailer)
	if p := x.Principal; p != nil {
		f.tell(x, r, p)
		x.Trail.Add(f.rule, exchange.Changed, "")
	}
	f.next.ServeHTTP(w, r)
}

// claim removes what a service could read as one of our headers.
func (f *filter) claim(h http.Header) {
	for name := range h {
		for _, own := range f.names {
			if wire.Alike(name, own) {
				delete(h, name)
			}
		}
	}
}

func (f *filter) tell(x *exchange.Exchange, r *http.Request, p *exchange.Principal) {
	for i := range f.headers {
		h := &f.headers[i]
		value, ok := h.value(p)
		if !ok {
			x.Trail.Add(f.rule, exchange.Failed, "a value that no header can hold: "+h.what)
			continue
		}
		if value != "" {
			r.Header[h.name] = []string{value}
		}
	}
	if f.token == nil {
		return
	}
	token, err := f.token.of(p, x.Start)
	if err != nil {
		x.Trail.Add(f.rule, exchange.Failed, "no token: "+err.Error())
		return
	}
	r.Header[f.token.header] = []string{token}
}

// value returns what the header tells of p, "" for nothing; false for what no field
// can hold (RFC 9110 section 5.5): cut short or cleaned up, one caller's would pass
// for another's.
func (h *header) value(p *exchange.Principal) (string, bool) {
	var value string
	switch h.what {
	case "principal.id":
		value = p.ID
	case "principal.subject":
		value = p.Subject
	case "principal.issuer":
		value = p.Issuer
	case "principal.kind":
		value = p.Kind
	case "scopes":
		value = strings.Join(p.Scopes, " ")
	default:
		value = textOf(find(p.Claims, h.claim))
	}
	return value, isFieldValue(value)
}

// find returns a claim by its name, or by names parted by dots.
func find(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok {
		return v
	}
	first, rest, more := strings.Cut(name, ".")
	inner, ok := claims[first].(map[string]any)
	if !more || !ok {
		return nil
	}
	return find(inner, rest)
}

// textOf writes texts, numbers and truths as they are, lists of texts without commas
// in them with commas between, and everything else as JSON.
func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case []any:
		var texts []string
		for _, one := range v {
			text, ok := one.(string)
			if !ok || text == "" || strings.ContainsAny(text, ",\"[") {
				return jsonOf(v)
			}
			texts = append(texts, text)
		}
		return strings.Join(texts, ",")
	}
	return jsonOf(v)
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// maxValue is how many bytes a header tells at most.
const maxValue = 8 << 10

func isFieldValue(s string) bool {
	for i := range len(s) {
		c := s[i]
		edge := i == 0 || i == len(s)-1
		if c < ' ' && c != '\t' || c == 0x7f || edge && (c == ' ' || c == '\t') {
			return false
		}
	}
	return len(s) <= maxValue
}

// issuing makes tokens.
type issuing struct {
	keys     *Keys
	audience string
	ttl      time.Duration
	claims   []string
	header   string
	issued   *recall.Cache[issued]
}

type issued struct {
	principal *exchange.Principal
	key       *devkey.Key // that signed it: a forgotten one's tokens are good no more
	token     string
}

// of returns a token about p. The same Principal, which whoever verified a credential
// remembers, gets the same token for half of its time.
func (t *issuing) of(p *exchange.Principal, now time.Time) (string, error) {
	// By address: the entry keeps the Principal, so that no other comes to have it.
	var k recall.Key
	binary.NativeEndian.PutUint64(k[8:], uint64(uintptr(unsafe.Pointer(p))))
	k[0] = k[9] ^ k[10] // spread over the shards
	key := t.keys.Current(now).Value
	if e, ok := t.issued.Get(k, now); ok && e.principal == p && e.key == key {
		return e.token, nil
	}
	extra := map[string]any{"principal": p.ID, "kind": p.Kind, "issuer": p.Issuer}
	for _, name := range t.claims {
		if v := find(p.Claims, name); v != nil {
			extra[name] = v
		}
	}
	token, err := key.Sign(devkey.Claims{Issuer: Issuer, Audience: []string{t.audience}, Subject: p.Subject, Scopes: p.Scopes, Lifetime: t.ttl, Extra: extra})
	if err != nil {
		return "", err
	}
	t.issued.Put(k, issued{p, key, token}, now.Add(t.ttl/2), now)
	return token, nil
}

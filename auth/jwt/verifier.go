package jwt

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"gatehouse/auth/scheme"
	"gatehouse/exchange"
)

// Verifier verifies the tokens of one issuer. It is a scheme.Scheme, immutable
// but for being retired, and safe for concurrent use. Equal configurations
// share one, over reloads too, and so what it has verified.
type Verifier struct {
	rules      rules
	algorithms []string
	from       []From
	login      string
	origins    []string
	source     source
	cache      *cache
	retired    atomic.Bool
}

// Retire makes the cache forget the Verifier's tokens. A request that still
// holds the Verifier may finish.
func (v *Verifier) Retire() { v.retired.Store(true) }

// maxCandidates is how many keys are tried on one token.
const maxCandidates = 4

// Authenticate implements scheme.Scheme. A token that was verified before costs
// its fingerprint and no allocation.
func (v *Verifier) Authenticate(x *exchange.Exchange, r *http.Request) scheme.Verdict {
	for i := range v.from {
		from := &v.from[i]
		token, found, err := from.Find(r, x.Path.Query)
		if err != nil {
			return scheme.Bad("malformed", err.Error())
		}
		if !found {
			continue
		}
		verdict := v.verify(token, x.Start)
		if verdict.Principal != nil && from.Place == "cookie" && scheme.CrossOrigin(r, v.origins) {
			return scheme.CrossOriginVerdict("cookie")
		}
		return verdict
	}
	return scheme.Verdict{}
}

// verify judges a token at a time.
func (v *Verifier) verify(token string, now time.Time) scheme.Verdict {
	if len(token) > maxToken {
		return scheme.Bad("malformed", "the token is longer than 16 KiB")
	}
	print := v.cache.printer.print(token)
	p, foreign := v.cache.get(&print, v, now.UnixNano())
	switch {
	case p != nil:
		return scheme.Good(p)
	case foreign:
		return wrongIssuer()
	}
	return v.verifyNew(token, print, now)
}

// wrongIssuer is the verdict on a token that says to be of another issuer. It
// need not be verified for that: its issuer's own verifier does.
func wrongIssuer() scheme.Verdict {
	return scheme.Foreign("wrong-issuer", "the token is from another issuer (iss)")
}

func (v *Verifier) verifyNew(text string, print fingerprint, now time.Time) scheme.Verdict {
	claims, k, bad := v.open(text, isTokenType)
	if bad.Found {
		return bad
	}
	p, expires, bad := v.rules.judge(claims, now)
	if bad.Found {
		return bad
	}
	v.cache.put(&verified{print: print, verifier: v, key: k, principal: p, expires: expires.UnixNano(), size: len(text)}, now.UnixNano())
	return scheme.Good(p)
}

// open returns what a token of a fitting type says, and by which of the issuer's
// keys. Its times, and for whom it is, are not judged.
func (v *Verifier) open(text string, fits func(typ string) bool) (map[string]any, *key, scheme.Verdict) {
	t, bad := parse(text, fits)
	if bad.Found {
		return nil, nil, bad
	}
	claims, err := readObject(t.payload)
	if err != nil {
		return nil, nil, scheme.Bad("malformed", "the token's claims: "+err.Error())
	}
	if issuer, _ := claims["iss"].(string); issuer != v.rules.issuer {
		return nil, nil, wrongIssuer()
	}
	if !slices.Contains(v.algorithms, t.algorithm) {
		return nil, nil, scheme.Bad("algorithm", "the token's algorithm is not among those allowed")
	}
	k, bad := v.signer(&t)
	return claims, k, bad
}

// Claims returns what a token says that is not for access: an ID token, or a
// logout token where logout says so. Signature, issuer, audience and times are
// judged, and the type: a logout token may say logout+jwt. It need not have a
// subject.
func (v *Verifier) Claims(text string, logout bool, now time.Time) (map[string]any, scheme.Verdict) {
	if len(text) > maxToken {
		return nil, scheme.Bad("malformed", "the token is longer than 16 KiB")
	}
	fits := isTokenType
	if logout {
		fits = func(typ string) bool {
			return isTokenType(typ) || strings.EqualFold(strings.TrimPrefix(strings.ToLower(typ), "application/"), "logout+jwt")
		}
	}
	claims, _, bad := v.open(text, fits)
	if bad.Found {
		return nil, bad
	}
	if _, bad := v.rules.times(claims, now); bad.Found {
		return nil, bad
	}
	if !v.rules.isFor(claims["aud"]) {
		return nil, scheme.Bad("wrong-audience", "the token is for another audience (aud)")
	}
	return claims, scheme.Verdict{}
}

// signer returns the key that signed the token. Where no key has the name that the
// token gives, and none of those without a name signed it, newer ones are asked
// for.
func (v *Verifier) signer(t *token) (*key, scheme.Verdict) {
	set := v.source.current()
	if set == nil {
		return nil, scheme.Verdict{Found: true, Status: http.StatusServiceUnavailable, Reason: "no-keys", Detail: "the issuer's keys have not been fetched yet", Retry: 5 * time.Second}
	}
	k, bad := set.signer(t)
	if k != nil || set.names(t.kid) {
		return k, bad
	}
	if newer := v.source.renewed(); newer != set {
		return newer.signer(t)
	}
	return nil, bad
}

// signer returns the key of s that signed the token.
func (s *keySet) signer(t *token) (*key, scheme.Verdict) {
	var space [8]*key
	named := s.find(t.kid, space[:0])
	if len(named) == 0 {
		return nil, scheme.Bad("unknown-key", "the token names a key (kid) that the issuer does not publish")
	}
	fitting := slices.DeleteFunc(named, func(k *key) bool { return !k.fits(t.algorithm) })
	if len(fitting) == 0 {
		return nil, scheme.Bad("algorithm", "the token's algorithm is not that of the key that it names")
	}
	a, _ := algorithmOf(t.algorithm)
	for _, k := range fitting[:min(len(fitting), maxCandidates)] {
		if a.verify(k, t.signed, t.signature) {
			return k, scheme.Verdict{}
		}
	}
	return nil, scheme.Bad("bad-signature", "the token's signature is wrong")
}

// Challenge implements scheme.Scheme (RFC 6750 section 3).
func (v *Verifier) Challenge(realm string, bad bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Bearer realm=%q", realm)
	if bad {
		b.WriteString(`, error="invalid_token"`)
	}
	return b.String()
}

// Login implements scheme.Scheme.
func (v *Verifier) Login() string { return v.login }

// QueryParameters implements scheme.Scheme.
func (v *Verifier) QueryParameters() []string {
	var names []string
	for _, f := range v.from {
		if f.Place == "query" {
			names = append(names, f.Name)
		}
	}
	return names
}

// Strip implements scheme.Scheme: the token goes from every place where one may
// stand, since a service could read another than the one that was judged.
func (v *Verifier) Strip(x *exchange.Exchange, r *http.Request) {
	for i := range v.from {
		v.from[i].Strip(x, r)
	}
}

package jwt

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/auth/scheme"
	"gatehouse/exchange"
)

// rules are what a token's claims must say.
type rules struct {
	issuer        string
	audience      []string
	leeway        time.Duration
	withoutExpiry bool // tokens need not expire
}

const maxSubject = 1024 // bytes

// endless is the expiry of a token that has none, and of one that ends later: the
// last time that nanoseconds in 64 bits can tell, in the year 2262.
var endless = time.Unix(0, math.MaxInt64)

// judge checks the claims of a verified token of the issuer at now, and returns
// who calls and until when that holds.
func (r *rules) judge(claims map[string]any, now time.Time) (*exchange.Principal, time.Time, scheme.Verdict) {
	expires, bad := r.times(claims, now)
	if bad.Found {
		return nil, expires, bad
	}
	if !r.isFor(claims["aud"]) {
		return nil, expires, scheme.Bad("wrong-audience", "the token is for another audience (aud)")
	}
	subject, _ := claims["sub"].(string)
	if subject == "" || len(subject) > maxSubject {
		return nil, expires, scheme.Bad("no-subject", "the token says no subject (sub), or one that is too long")
	}
	p := exchange.NewPrincipal("jwt", r.issuer, subject)
	p.Scopes = scopes(claims)
	p.Claims = claims
	return p, expires, scheme.Verdict{}
}

// times checks exp, nbf and iat (RFC 7519 sections 4.1.4 to 4.1.6) and returns
// when the token ends, leeway included.
func (r *rules) times(claims map[string]any, now time.Time) (time.Time, scheme.Verdict) {
	exp, present, ok := date(claims, "exp")
	end := endless
	switch {
	case !ok:
		return end, scheme.Bad("malformed", "the token's expiry (exp) is not a date")
	case !present && !r.withoutExpiry:
		return end, scheme.Bad("no-expiry", "the token says no expiry (exp)")
	case present && exp.Add(r.leeway).Before(endless):
		end = exp.Add(r.leeway)
	}
	if !now.Before(end) {
		return end, scheme.Expired("the token expired " + ago(now.Sub(exp)) + " ago")
	}
	for _, name := range []string{"nbf", "iat"} {
		begin, present, ok := date(claims, name)
		switch {
		case !ok:
			return end, scheme.Bad("malformed", "the token's "+name+" is not a date")
		case present && begin.After(now.Add(r.leeway)):
			return end, scheme.Bad("not-yet-valid", "the token begins in "+ago(begin.Sub(now))+" ("+name+")")
		}
	}
	return end, scheme.Verdict{}
}

func ago(d time.Duration) string { return d.Round(time.Second).String() }

// maxDate is the last second of the year 9999.
const maxDate = 253402300799

// date reads a NumericDate: seconds since 1970, with a fraction or without. Ok
// is false for a claim that is none.
func date(claims map[string]any, name string) (at time.Time, present, ok bool) {
	v, present := claims[name]
	if !present {
		return at, false, true
	}
	n, _ := v.(json.Number)
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || f < 0 || f > maxDate {
		return at, true, false
	}
	whole := int64(f)
	return time.Unix(whole, int64((f-float64(whole))*1e9)), true, true
}

// isFor reports whether aud, one text or a list of them, names one of the
// audiences exactly.
func (r *rules) isFor(aud any) bool {
	switch aud := aud.(type) {
	case string:
		return slices.Contains(r.audience, aud)
	case []any:
		for _, a := range aud {
			if s, ok := a.(string); ok && slices.Contains(r.audience, s) {
				return true
			}
		}
	}
	return false
}

// isSpace knows the one character that parts scopes (RFC 6749 section 3.3).
func isSpace(r rune) bool { return r == ' ' }

// scopes returns what scope (RFC 8693 section 4.2) and scp grant: texts
// separated by spaces, or lists of texts.
func scopes(claims map[string]any) []string {
	var out []string
	for _, name := range []string{"scope", "scp"} {
		switch v := claims[name].(type) {
		case string:
			out = append(out, strings.FieldsFunc(v, isSpace)...)
		case []any:
			for _, s := range v {
				if s, ok := s.(string); ok && s != "" {
					out = append(out, s)
				}
			}
		}
	}
	return out
}

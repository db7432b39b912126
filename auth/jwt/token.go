package jwt

import (
	"encoding/base64"
	"strings"

	"gatehouse/auth/scheme"
)

// maxToken is how long a token may be, in bytes.
const maxToken = 16 << 10

// token is a JWT taken apart, not verified.
type token struct {
	algorithm string
	kid       string
	signed    string // what the signature is of
	payload   []byte
	signature []byte
}

// parse takes a token in compact form apart (RFC 7515 section 7.1). Member
// names must be unique and match exactly, text must be UTF-8, and its type (typ) one
// that fits reports.
func parse(s string, fits func(typ string) bool) (t token, bad scheme.Verdict) {
	if len(s) > maxToken {
		return t, scheme.Bad("malformed", "the token is longer than 16 KiB")
	}
	head, rest, _ := strings.Cut(s, ".")
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok || strings.Contains(signature, ".") {
		return t, scheme.Bad("malformed", "the token is not three parts joined by dots")
	}
	headBytes, ok1 := decode(head)
	payloadBytes, ok2 := decode(payload)
	signatureBytes, ok3 := decode(signature)
	if !ok1 || !ok2 || !ok3 {
		return t, scheme.Bad("malformed", "a part of the token is empty or not base64url")
	}
	h, err := readObject(headBytes)
	if err != nil {
		return t, scheme.Bad("malformed", "the token's header: "+err.Error())
	}
	if bad := checkHeader(h, fits); bad.Found {
		return t, bad
	}
	algorithm, ok1 := text(h, "alg")
	kid, ok2 := text(h, "kid")
	if !ok1 || !ok2 {
		return t, scheme.Bad("malformed", "the token's algorithm (alg) or key (kid) is not text")
	}
	t = token{algorithm: algorithm, kid: kid, signed: s[:len(head)+1+len(payload)], payload: payloadBytes, signature: signatureBytes}
	return t, bad
}

// checkHeader refuses what the header asks for and this package does not do.
// Members that tell where keys are (jku, x5u, jwk, x5c) are not looked at.
func checkHeader(h map[string]any, fits func(typ string) bool) scheme.Verdict {
	for _, unknown := range []struct{ name, means string }{
		{"crit", "has critical extensions, and none is known"},
		{"zip", "is compressed"},
		{"enc", "is encrypted"},
		{"b64", "has a payload that is not encoded"},
		{"cty", "is nested"},
	} {
		if _, present := h[unknown.name]; present {
			return scheme.Bad("malformed", "the token "+unknown.means+" ("+unknown.name+")")
		}
	}
	if typ, ok := text(h, "typ"); !ok || !fits(typ) {
		return scheme.Bad("malformed", "the token is of a type (typ) for another purpose")
	}
	return scheme.Verdict{}
}

// isTokenType refuses tokens that say to be for another purpose, such as
// logout+jwt (RFC 8725 section 3.11). Access tokens may say at+jwt (RFC 9068).
func isTokenType(typ string) bool {
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	return !strings.HasSuffix(typ, "+jwt") || typ == "at+jwt"
}

// decode reads base64url without padding. The package of the standard library
// passes over line breaks, which are no base64url (RFC 7515 section 2).
func decode(s string) ([]byte, bool) {
	if s == "" || strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return b, err == nil
}

package sigv4

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"

	"gatehouse/exchange"
)

// The payloads that are no hash.
const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	streamSigned    = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamUnsigned  = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	emptyHash       = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	unsignedPlainly = "UNSIGNED-PAYLOAD-TRAILER" // as some call streamUnsigned
)

// payload is what a signature says of the body.
type payload struct {
	signed   string // its line of the canonical request
	hashed   bool   // the body has been read, and signed is its hash
	chunked  bool
	unsigned bool
}

// payloadOf returns what the request says of its body; where it says nothing,
// the body's own hash, for which it is read.
func (v *Verifier) payloadOf(c *credential, x *exchange.Exchange, r *http.Request) (payload, *Fault) {
	switch c.payload {
	case "":
		hash, f := v.hash(x)
		return payload{signed: hash, hashed: true}, f
	case unsignedPayload:
		return payload{signed: c.payload, unsigned: true}, v.checkUnsigned(x, r)
	case streamUnsigned, unsignedPlainly:
		return payload{signed: c.payload, chunked: true, unsigned: true}, v.checkUnsigned(x, r)
	case streamSigned, streamTrailer:
		return payload{signed: c.payload, chunked: true}, nil
	}
	if len(c.payload) != len(emptyHash) || !isLowerHex(c.payload) {
		return payload{}, malformed("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD or a valid sha256 value.")
	}
	return payload{signed: c.payload}, nil
}

// checkUnsigned lets a body be left out of the signature where nobody can
// change it on its way.
func (v *Verifier) checkUnsigned(x *exchange.Exchange, r *http.Request) *Fault {
	said := single(r.Header["X-Forwarded-Proto"]) // the edge's word
	if v.unsigned && (said == "https" || said == "" && x.Conn.TLS) {
		return nil
	}
	return wrong("unsigned-payload", "The body is not signed (UNSIGNED-PAYLOAD), which this API takes over TLS alone, or not at all.")
}

// verify compares the body with what was signed of it, once the signature is
// known to be good.
func (p *payload) verify(v *Verifier, x *exchange.Exchange, r *http.Request, c *credential, key *signingKey) *Fault {
	switch {
	case p.chunked:
		return v.unchunk(p, x, r, c, key)
	case p.hashed || p.unsigned:
		return nil
	}
	hash, f := v.hash(x)
	if f != nil {
		return f
	}
	if subtle.ConstantTimeCompare([]byte(hash), []byte(p.signed)) != 1 {
		f := wrong("tampered-body", "The provided 'x-amz-content-sha256' header does not match what was computed.")
		return f
	}
	return nil
}

// hash reads the body and returns its hash.
func (v *Verifier) hash(x *exchange.Exchange) (string, *Fault) {
	if x.Body.Declared() == 0 {
		return emptyHash, nil
	}
	body, err := x.Body.All(v.body)
	if err != nil {
		return "", &Fault{Body: err, Reason: "body", Detail: err.Error()}
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}

func isLowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"

	"gatehouse/exchange"
	"gatehouse/iam"
)

// Verifier verifies what is signed for one service. It is immutable and safe
// for concurrent use.
type Verifier struct {
	directory *iam.Directory
	sealer    *iam.Sealer
	cache     *cache
	service   string
	body      int64 // the largest body that is held
	unsigned  bool  // bodies may be left out of the signature, under TLS
}

// Service returns the AWS service that a request is signed for, by its own
// word; false for one that carries no signature of AWS's.
func Service(r *http.Request, query string) (name string, signed bool) {
	var scope string
	switch formOf(r, query) {
	case unsigned:
		return "", false
	case inHeader:
		_, scope, _ = strings.Cut(single(r.Header["Authorization"]), "Credential=")
	default:
		_, scope, _ = strings.Cut(query, "X-Amz-Credential=")
		scope, _, _ = strings.Cut(scope, "&")
		scope = unescape(scope)
	}
	parts := strings.SplitN(scope, "/", 5)
	if len(parts) < 5 {
		return "", true
	}
	return parts[3], true
}

// Verify returns who has signed the request, or what is wrong with its
// signature. It reads the body where the signature covers it as a whole; one
// that comes in signed chunks is verified while it is read, and stands in the
// request without its chunks from then on.
func (v *Verifier) Verify(x *exchange.Exchange, r *http.Request) (*iam.Caller, *Fault) {
	var c credential
	if f := c.read(x, r); f != nil {
		return nil, f
	}
	if f := v.checkScope(&c); f != nil {
		return nil, f
	}
	if f := checkHeaders(&c, r); f != nil {
		return nil, f
	}
	if f := c.current(x.Start); f != nil {
		return nil, f
	}
	caller, secret, f := v.find(&c, x)
	if f != nil {
		return nil, f
	}
	p, f := v.payloadOf(&c, x, r)
	if f != nil {
		return nil, f
	}
	key := v.cache.signingKey(c.keyID, secret, &c)
	if f := verify(x, r, &c, p.signed, key); f != nil {
		return nil, f
	}
	if f := p.verify(v, x, r, &c, key); f != nil {
		return nil, f
	}
	return caller, nil
}

func (v *Verifier) checkScope(c *credential) *Fault {
	switch {
	case c.region != v.directory.Region:
		return wrong("wrong-scope", "Credential should be scoped to a valid region. (This gateway's is '"+v.directory.Region+"'.)")
	case c.service != v.service:
		return wrong("wrong-scope", "Credential should be scoped to correct service: '"+v.service+"'.")
	}
	return nil
}

// find returns whose access key the request names, and its secret.
func (v *Verifier) find(c *credential, x *exchange.Exchange) (*iam.Caller, string, *Fault) {
	if c.token != "" {
		return v.findSession(c, x)
	}
	key, ok := v.directory.Key(c.keyID)
	if !ok {
		return nil, "", unknownKey("no access key in force has this id")
	}
	return key.Caller, key.Secret, nil
}

// findSession opens a session's token.
func (v *Verifier) findSession(c *credential, x *exchange.Exchange) (*iam.Caller, string, *Fault) {
	version := v.sealer.Version()
	o := v.cache.session(c.token, v.directory, version)
	if o == nil {
		session, err := v.sealer.Open(c.token)
		if err != nil {
			return nil, "", unknownKey("the session token is none of this gateway's")
		}
		caller, err := v.directory.Session(session)
		if err != nil {
			return nil, "", unknownKey(err.Error())
		}
		o = &opened{token: strings.Clone(c.token), directory: v.directory, version: version, session: session, caller: caller}
		if !session.Expired(x.Start) {
			v.cache.remember(o)
		}
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(o.session.AccessKey), []byte(c.keyID)) != 1:
		return nil, "", unknownKey("the session token is of another access key")
	case o.session.Expired(x.Start):
		return nil, "", tokenExpired()
	}
	return o.caller, o.session.Secret, nil
}

// verify compares the signature with those that the readings of the request
// have.
func verify(x *exchange.Exchange, r *http.Request, c *credential, payload string, key *signingKey) *Fault {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	var space [8]reading
	for _, as := range readings(space[:0], x, c) {
		if !s.stringToSign(x, r, c, payload, as) {
			return mismatch("a signed header is missing from the request")
		}
		if c.signedBy(key.key[:], s.buf) {
			return nil
		}
	}
	return mismatch("the signature is not that of this request")
}

// readings returns the ways in which this request can have been read: one,
// where it holds nothing that clients disagree about.
func readings(out []reading, x *exchange.Exchange, c *credential) []reading {
	out = append(out, reading{})
	twice := func(change func(*reading)) {
		for _, as := range out {
			change(&as)
			out = append(out, as)
		}
	}
	if x.Path.Oddities&(exchange.EmptySegment|exchange.DotSegment) != 0 {
		twice(func(as *reading) { as.normal = true })
	}
	if strings.IndexByte(x.Path.Query, '+') >= 0 {
		twice(func(as *reading) { as.plusIsSpace = true })
	}
	if c.presigned && c.token != "" {
		twice(func(as *reading) { as.withoutToken = true })
	}
	return out
}

// signedBy reports whether the signature is that of a text, in constant time.
func (c *credential) signedBy(key, text []byte) bool {
	m := hmac.New(sha256.New, key)
	m.Write(text)
	var sum [sha256.Size]byte
	var want [2 * sha256.Size]byte
	hex.Encode(want[:], m.Sum(sum[:0]))
	return subtle.ConstantTimeCompare(want[:], []byte(c.signature)) == 1
}

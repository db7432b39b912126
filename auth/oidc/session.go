package oidc

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatehouse/auth/place"
	"gatehouse/auth/revoked"
	"gatehouse/exchange"
)

// Bounds of a session's cookies: browsers take 4096 bytes with name and attributes.
const (
	chunkSize = 3800
	maxChunks = 5
)

// session is what the session's cookies say. It is immutable.
type session struct {
	ID      string `json:"i"`
	Token   string `json:"t"`           // the ID token, for the provider to know who logs out
	Refresh string `json:"r,omitempty"` // the refresh token
	Access  string `json:"a,omitempty"` // the access token, where services get it
	Expires int64  `json:"e"`           // when it is to be prolonged, seconds since 1970
	Begin   int64  `json:"b"`
	End     int64  `json:"n"`

	principal *exchange.Principal
	version   uint64           // of the keys that it was opened under
	sid       string           // the provider's name for its own session
	keys      []revoked.Logout // under which it may be ended
}

func (s *session) expires() time.Time { return time.Unix(s.Expires, 0) }
func (s *session) end() time.Time     { return time.Unix(s.End, 0) }

// fill adds what the ID token says, which was verified when the session began.
func (a *Authorizer) fill(s *session) bool {
	parts := strings.Split(s.Token, ".")
	if len(parts) != 3 {
		return false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return false
	}
	var claims map[string]any
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if err := d.Decode(&claims); err != nil {
		return false
	}
	subject, _ := claims["sub"].(string)
	if subject == "" {
		return false
	}
	s.principal = exchange.NewPrincipal("oidc", a.issuer, subject)
	s.principal.Claims = claims
	s.sid, _ = claims["sid"].(string)
	s.keys = []revoked.Logout{naming("id", s.ID), a.subjectKey(subject)}
	if s.sid != "" {
		s.keys = append(s.keys, a.sidKey(s.sid))
	}
	return true
}

func (a *Authorizer) subjectKey(subject string) revoked.Logout {
	return naming("sub", a.issuer, a.clientID, subject)
}

func (a *Authorizer) sidKey(sid string) revoked.Logout {
	return naming("sid", a.issuer, a.clientID, sid)
}

// naming names a session, or a person: the same on all gateways.
func naming(parts ...string) revoked.Logout {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return revoked.Logout(sum[:16])
}

// isRevoked reports whether somebody ended the session, or all of its person's that
// had begun by then.
func (a *Authorizer) isRevoked(s *session) bool {
	for _, k := range s.keys {
		if at, ok := a.logouts.Ended(k); ok && s.Begin <= at.Unix() {
			return true
		}
	}
	return false
}

// revoke ends what goes by a key.
func (a *Authorizer) revoke(k revoked.Logout, now time.Time) error {
	return a.logouts.End(k, now, now.Add(a.ttl))
}

// find returns the session of a request's cookies; nil where they hold none that is
// whole and ours. Found says that there is a cookie at all.
func (a *Authorizer) find(r *http.Request, now time.Time) (s *session, found bool) {
	first, found, err := (&place.From{Place: "cookie", Name: a.name}).Find(r, "")
	if !found || err != nil {
		return nil, found
	}
	count, text, ok := strings.Cut(first, ".")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || n < 1 || n > maxChunks {
		return nil, true
	}
	for i := 1; i < n; i++ {
		part, there, err := (&place.From{Place: "cookie", Name: a.chunk(i)}).Find(r, "")
		if !there || err != nil {
			return nil, true
		}
		text += part
	}
	key := a.memory.printer.Print(a.purpose, text)
	version := a.ring.Version()
	if s, ok := a.memory.sessions.Get(key, now); ok && s.version == version {
		return s, true
	}
	plain, ok := a.ring.Open(a.purpose+" session", text)
	if !ok {
		return nil, true
	}
	s = &session{version: version}
	if json.Unmarshal(plain, s) != nil || !a.fill(s) {
		return nil, true
	}
	a.memory.sessions.Put(key, s, s.end(), now)
	return s, true
}

func (a *Authorizer) chunk(i int) string {
	if i == 0 {
		return a.name
	}
	return a.name + "-" + strconv.Itoa(i)
}

// cookies returns the Set-Cookie values of a session, and of those parts of the last
// one that it does not need.
func (a *Authorizer) cookies(s *session, r *http.Request) []string {
	plain, _ := json.Marshal(s) // texts and numbers: never fails
	text := a.ring.Seal(a.purpose+" session", plain)
	n := (len(text) + chunkSize - 1) / chunkSize
	if n > maxChunks {
		return nil
	}
	age := max(1, int(time.Until(s.end())/time.Second))
	var out []string
	for i := range n {
		part := text[i*chunkSize : min(len(text), (i+1)*chunkSize)]
		if i == 0 {
			part = strconv.Itoa(n) + "." + part
		}
		out = append(out, cookie(a.chunk(i), part, age))
	}
	return append(out, a.without(r, n)...)
}

// without returns what removes the session's cookies from the part on.
func (a *Authorizer) without(r *http.Request, from int) (out []string) {
	for i := from; i < maxChunks; i++ {
		if name := a.chunk(i); has(r, name) {
			out = append(out, cookie(name, "", 0))
		}
	}
	return out
}

func has(r *http.Request, name string) bool {
	_, found, _ := (&place.From{Place: "cookie", Name: name}).Find(r, "")
	return found
}

// cookie returns a Set-Cookie value; age in seconds, 0 to remove it. Prefix
// and attributes keep other hosts and plain connections from it.
func cookie(name, value string, age int) string {
	return name + "=" + value + "; Path=/; Max-Age=" + strconv.Itoa(age) + "; HttpOnly; Secure; SameSite=Lax"
}

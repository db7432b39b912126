package basic

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/auth/recall"
	"gatehouse/auth/scheme"
	"gatehouse/exchange"
)

// maxPassword is how many bytes a password has at most.
const maxPassword = 1024

// Authorizer knows callers by name and password. It is a scheme.Scheme.
type Authorizer struct {
	users    map[string]*user
	dummy    *hash // as costly as the costliest, for names that nobody has
	remember time.Duration
	origins  []string
	keeper   *Keeper
	print    string // of what is remembered: the users' hashes
}

type user struct {
	hash      *hash
	principal *exchange.Principal
}

var _ scheme.Scheme = (*Authorizer)(nil)

// Authenticate implements scheme.Scheme. A password that was right a moment ago
// costs a keyed hash.
func (a *Authorizer) Authenticate(x *exchange.Exchange, r *http.Request) scheme.Verdict {
	text, found, bad := credential(r)
	if !found || bad.Found {
		return bad
	}
	name, password, ok := split(text)
	if !ok {
		return scheme.Bad("malformed", "Authorization holds no name and password in base64 and UTF-8")
	}
	key := a.keeper.printer.Print(a.print, name, password)
	u, ok := a.keeper.right.Get(key, x.Start)
	if !ok {
		if u, bad = a.verify(x, name, password, key); u == nil {
			return bad
		}
	}
	if scheme.CrossOrigin(r, a.origins) { // browsers add the password of themselves
		return scheme.CrossOriginVerdict("password")
	}
	return scheme.Good(u.principal)
}

// credential returns what follows "Basic" in Authorization.
func credential(r *http.Request) (text string, found bool, bad scheme.Verdict) {
	const kind = "basic "
	values := r.Header["Authorization"]
	if len(values) == 0 || len(values[0]) < len(kind) || !strings.EqualFold(values[0][:len(kind)], kind) {
		return "", false, bad
	}
	if len(values) > 1 {
		return "", true, scheme.Bad("malformed", "the request carries several credentials")
	}
	return strings.Trim(values[0][len(kind):], " "), true, bad
}

// split reads what RFC 7617 section 2 has clients send.
func split(text string) (name, password string, ok bool) {
	if len(text) > (maxName+maxPassword+1)*4/3+4 {
		return "", "", false
	}
	plain, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || !utf8.Valid(plain) {
		return "", "", false
	}
	name, password, ok = strings.Cut(string(plain), ":")
	return name, password, ok && name != "" && len(name) <= maxName && len(password) <= maxPassword
}

// verify spends what argon2id costs, if the client and the machine have it to
// spend. A name that nobody has costs the same.
func (a *Authorizer) verify(x *exchange.Exchange, name, password string, key recall.Key) (*user, scheme.Verdict) {
	t, bad := a.keeper.try(x, name)
	if bad.Found {
		return nil, bad
	}
	if !a.keeper.enter() {
		t.back()
		return nil, scheme.Verdict{Found: true, Status: http.StatusServiceUnavailable, Reason: "busy", Detail: "too many passwords are being verified", Retry: time.Second}
	}
	defer a.keeper.leave()
	u := a.users[name]
	if u == nil {
		a.dummy.matches(password)
		return nil, wrong()
	}
	if !u.hash.matches(password) {
		return nil, wrong()
	}
	t.back()
	now := time.Now()
	a.keeper.right.Put(key, u, now.Add(a.remember), now)
	return u, scheme.Verdict{}
}

// wrong is the verdict on a wrong password, and on a name that nobody has.
func wrong() scheme.Verdict {
	return scheme.Bad("wrong-password", "the password is wrong, or nobody has the name")
}

// Challenge implements scheme.Scheme.
func (a *Authorizer) Challenge(realm string, bad bool) string {
	return fmt.Sprintf(`Basic realm=%q, charset="UTF-8"`, realm)
}

// Login implements scheme.Scheme.
func (a *Authorizer) Login() string { return "" }

// QueryParameters implements scheme.Scheme.
func (a *Authorizer) QueryParameters() []string { return nil }

// Strip implements scheme.Scheme.
func (a *Authorizer) Strip(x *exchange.Exchange, r *http.Request) { delete(r.Header, "Authorization") }

package introspection

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gatehouse/auth/discovery"
	"gatehouse/auth/place"
	"gatehouse/auth/recall"
	"gatehouse/auth/scheme"
	"gatehouse/auth/sign"
	"gatehouse/exchange"
)

// Bounds.
const (
	maxToken   = 16 << 10 // bytes
	maxAnswer  = 64 << 10
	maxSubject = 1024
	remembered = 1 << 16
	atOnce     = 64 // questions to one issuer
)

// Authorizer knows callers by what their issuer says of their tokens. It is a
// scheme.Scheme, safe for concurrent use.
type Authorizer struct {
	issuer   string
	url      string // "" where the provider says
	provider *discovery.Provider
	own      *http.Client // asks servers that the operator names
	foreign  *http.Client // and others
	client   client
	audience []string
	from     []place.From
	origins  []string
	ttl      time.Duration
	negative time.Duration
	timeout  time.Duration
	printer  recall.Printer
	answers  *recall.Cache[*answer]
	turns    chan struct{}
}

var _ scheme.Scheme = (*Authorizer)(nil)

// client is as whom the gateway asks.
type client struct {
	id, secret string
	key        *sign.Key
}

// answer is what an issuer said of a token. It is immutable.
type answer struct {
	principal *exchange.Principal // nil for a bad one
	reason    string
	detail    string
}

// Authenticate implements scheme.Scheme.
func (a *Authorizer) Authenticate(x *exchange.Exchange, r *http.Request) scheme.Verdict {
	for i := range a.from {
		f := &a.from[i]
		token, found, err := f.Find(r, x.Path.Query)
		if err != nil {
			return scheme.Bad("malformed", err.Error())
		}
		if !found {
			continue
		}
		v := a.verify(token)
		if v.Principal != nil && f.Place == "cookie" && scheme.CrossOrigin(r, a.origins) {
			return scheme.CrossOriginVerdict("cookie")
		}
		return v
	}
	return scheme.Verdict{}
}

func (a *Authorizer) verify(token string) scheme.Verdict {
	if len(token) > maxToken || !isToken(token) {
		return scheme.Bad("malformed", "the token is longer than 16 KiB, or holds what no token does")
	}
	o, err := a.answers.Do(a.printer.Print(token), func() (*answer, time.Duration, error) { return a.ask(token) })
	switch {
	case err != nil:
		return scheme.Verdict{Found: true, Status: http.StatusServiceUnavailable, Reason: "issuer-unreachable", Detail: err.Error(), Retry: time.Second}
	case o.principal == nil:
		return scheme.Bad(o.reason, o.detail)
	}
	return scheme.Good(o.principal)
}

// isToken reports a b64token, or another text of visible ASCII (RFC 6750 section
// 2.1 is narrower than what issuers make).
func isToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}

// ask asks the issuer, and says how long its answer is to be remembered.
func (a *Authorizer) ask(token string) (*answer, time.Duration, error) {
	select {
	case a.turns <- struct{}{}:
		defer func() { <-a.turns }()
	default:
		return nil, 0, errors.New("too many questions to the issuer are under way")
	}
	address, by, err := a.address()
	if err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), a.timeout)
	defer cancel()
	r, err := a.question(ctx, address, token)
	if err != nil {
		return nil, 0, err
	}
	resp, err := by.Do(r)
	if err != nil {
		return nil, 0, withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, 0, withoutURL(err)
	case resp.StatusCode != http.StatusOK:
		return nil, 0, fmt.Errorf("the issuer answered %s", resp.Status)
	case len(body) > maxAnswer:
		return nil, 0, errors.New("the issuer's answer is too long")
	}
	return a.read(body, time.Now())
}

func withoutURL(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return errors.New("the issuer cannot be asked: " + of.Err.Error())
	}
	return err
}

// address returns where the issuer is asked, and by which client.
func (a *Authorizer) address() (string, *http.Client, error) {
	if a.url != "" {
		return a.url, a.own, nil
	}
	d, err := a.provider.Document()
	switch {
	case err != nil:
		return "", nil, err
	case d.Introspection == "":
		return "", nil, errors.New("the issuer's description names no introspection_endpoint")
	}
	if foreign, _ := discovery.Foreign(a.issuer, d.Introspection); foreign {
		return d.Introspection, a.foreign, nil
	}
	return d.Introspection, a.own, nil
}

// question is the request of RFC 7662 section 2.1.
func (a *Authorizer) question(ctx context.Context, address, token string) (*http.Request, error) {
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	if a.client.key != nil {
		assertion, err := Assertion(a.client.key, a.client.id, address)
		if err != nil {
			return nil, err
		}
		form.Set("client_id", a.client.id)
		form.Set("client_assertion_type", AssertionType)
		form.Set("client_assertion", assertion)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if a.client.key == nil { // RFC 6749 section 2.3.1
		r.SetBasicAuth(url.QueryEscape(a.client.id), url.QueryEscape(a.client.secret))
	}
	return r, nil
}

// AssertionType is what a client calls an Assertion (RFC 7523 section 2.2).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Assertion returns what proves to a server who a client is, once and within a
// minute (RFC 7523 section 3).
func Assertion(key *sign.Key, id, audience string) (string, error) {
	now := time.Now()
	return key.Sign("JWT", map[string]any{"iss": id, "sub": id, "aud": audience, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
}

// read reads the answer (RFC 7662 section 2.2).
func (a *Authorizer) read(body []byte, now time.Time) (*answer, time.Duration, error) {
	var claims map[string]any
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	if err := d.Decode(&claims); err != nil || claims == nil {
		return nil, 0, errors.New("the issuer's answer is no JSON object")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, 0, errors.New("the issuer's answer is more than one JSON object")
	}
	active, ok := claims["active"].(bool)
	if !ok {
		return nil, 0, errors.New("the issuer's answer does not say whether the token is active")
	}
	bad := func(reason, detail string) (*answer, time.Duration, error) {
		return &answer{reason: reason, detail: detail}, a.negative, nil
	}
	if !active {
		return bad("inactive", "the issuer says that the token is not active")
	}
	keep := a.ttl
	if exp, present := claims["exp"]; present {
		at, ok := seconds(exp)
		if !ok || !now.Before(at) {
			return bad("expired", "the token has expired (exp)")
		}
		keep = min(keep, at.Sub(now))
	}
	if nbf, present := claims["nbf"]; present {
		if at, ok := seconds(nbf); !ok || at.After(now.Add(leeway)) {
			return bad("not-yet-valid", "the token is not valid yet (nbf)")
		}
	}
	if iss, present := claims["iss"]; present && iss != a.issuer {
		return bad("wrong-issuer", "the token is from another issuer (iss)")
	}
	if len(a.audience) > 0 && !a.isFor(claims["aud"]) {
		return bad("wrong-audience", "the token is for another audience (aud)")
	}
	subject, _ := claims["sub"].(string)
	if subject == "" || len(subject) > maxSubject {
		return bad("no-subject", "the issuer names no subject (sub), or one that is too long")
	}
	p := exchange.NewPrincipal("token", a.issuer, subject)
	scope, _ := claims["scope"].(string)
	p.Scopes = strings.FieldsFunc(scope, func(r rune) bool { return r == ' ' })
	p.Claims = claims
	return &answer{principal: p}, keep, nil
}

// leeway is how far the issuer's clock and ours may differ.
const leeway = 30 * time.Second

const maxDate = 253402300799 // the last second of the year 9999

func seconds(v any) (time.Time, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > maxDate {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0), true
}

func (a *Authorizer) isFor(aud any) bool {
	switch aud := aud.(type) {
	case string:
		return slices.Contains(a.audience, aud)
	case []any:
		return slices.ContainsFunc(aud, func(one any) bool {
			text, ok := one.(string)
			return ok && slices.Contains(a.audience, text)
		})
	}
	return false
}

// Challenge implements scheme.Scheme (RFC 6750 section 3).
func (a *Authorizer) Challenge(realm string, bad bool) string {
	if bad {
		return fmt.Sprintf(`Bearer realm=%q, error="invalid_token"`, realm)
	}
	return fmt.Sprintf("Bearer realm=%q", realm)
}

// Login implements scheme.Scheme.
func (a *Authorizer) Login() string { return "" }

// QueryParameters implements scheme.Scheme.
func (a *Authorizer) QueryParameters() (names []string) {
	for _, f := range a.from {
		if f.Place == "query" {
			names = append(names, f.Name)
		}
	}
	return names
}

// Strip implements scheme.Scheme.
func (a *Authorizer) Strip(x *exchange.Exchange, r *http.Request) {
	for i := range a.from {
		a.from[i].Strip(x, r)
	}
}

// Package identity tells services who calls: in headers that no client can forge, or
// by a short-lived token that the gateway signs.
package identity

import (
	"maps"
	"net/textproto"
	"slices"
	"strings"

	"gatehouse/config"
	"gatehouse/http1/wire"
)

// Config says what services are told of callers.
type Config struct {
	config.At
	Headers map[string]Source `yaml:"headers" doc:"headers with what is known of the caller: principal.id, principal.subject, principal.issuer, principal.kind, scopes, or claims.NAME; whatever clients send under these names is removed"`
	Token   *Token            `yaml:"token" doc:"a token that the gateway signs"`
}

// Token is a signed token about the caller.
type Token struct {
	config.At
	Audience string          `yaml:"audience,required" doc:"for whom the token is: its aud"`
	TTL      config.Duration `yaml:"ttl" default:"1m" range:"10s..1h" doc:"how long a token is good; the same caller gets the same one for half of it"`
	Header   string          `yaml:"header" default:"x-gatehouse-identity" doc:"the header that it stands in"`
	Claims   []string        `yaml:"claims" single:"true" doc:"claims of the caller's that it repeats, beside who it is, its scopes and who vouches for it"`
	JWKS     string          `yaml:"jwks" doc:"a path below the stage's at which anybody gets the key that verifies it; on the admin listener it is /v1/identity/keys"`
}

// Source is what a header tells.
type Source struct {
	Name string `yaml:"-" key:"true"` // the header's, as written
	What string
	At   config.Pos
}

// UnmarshalConfig reads what.
func (s *Source) UnmarshalConfig(n *config.Node) {
	text, ok := n.Text()
	if !ok && n.Kind() != config.Scalar {
		n.Errorf("a header tells one thing")
		return
	}
	s.What, s.At = text, n.Pos()
	if claim, is := strings.CutPrefix(text, "claims."); is && claim != "" || slices.Contains(plain(), text) {
		return
	}
	n.Unknown("knowledge of the caller", text, append(plain(), "claims.NAME"))
}

// ConfigSchema implements config.Schemer.
func (Source) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Pattern: `^(principal\.(id|subject|issuer|kind)|scopes|claims\..+)$`, Examples: []any{"principal.subject", "claims.email"}}
}

// plain are the names that are no claim's.
func plain() []string {
	return []string{"principal.id", "principal.subject", "principal.issuer", "principal.kind", "scopes"}
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		checkName(r, c.Headers[name].At, name)
	}
	if c.Token == nil {
		return
	}
	checkName(r, c.Token.Of("header"), c.Token.Header)
	for name := range c.Headers {
		if wire.Alike(name, c.Token.Header) {
			r.Errorf(c.Token.Of("header"), "the header %s is under headers too", name)
		}
	}
	if path := c.Token.JWKS; path != "" && (!strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") || strings.ContainsAny(path, "%?#{}\\;") || strings.Contains(path, "//") || strings.Contains(path, "/.") && !strings.HasPrefix(path, "/.well-known/")) {
		r.Errorf(c.Token.Of("jwks"), "write a path such as /_identity/jwks.json")
	}
}

// framing are headers that mean something to who carries the request.
func framing() []string {
	return []string{"Connection", "Content-Length", "Content-Type", "Content-Encoding", "Expect", "Host", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Cookie", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "Forwarded"}
}

func checkName(r *config.Report, at config.Pos, name string) {
	switch {
	case !isToken(name):
		r.Errorf(at, "%q is no name of a header", name)
	case slices.Contains(framing(), textproto.CanonicalMIMEHeaderKey(name)):
		r.Errorf(at, "the header %s means something else already", name)
	}
}

// isToken reports a token of RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// Over returns c with what it leaves open taken from base: of a header that both
// name, c decides. Either may be nil.
func (c *Config) Over(base *Config) *Config {
	if c == nil {
		return base
	}
	if base == nil {
		return c
	}
	merged := *c
	merged.Headers = maps.Clone(base.Headers)
	if merged.Headers == nil {
		merged.Headers = make(map[string]Source)
	}
	maps.Copy(merged.Headers, c.Headers)
	if merged.Token == nil {
		merged.Token = base.Token
	}
	return &merged
}

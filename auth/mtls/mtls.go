package mtls

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatehouse/auth/recall"
	"gatehouse/auth/scheme"
	"gatehouse/exchange"
)

// Bounds of what is remembered of certificates that were verified.
const (
	remembered  = 1 << 14
	rememberFor = 10 * time.Minute
)

// maxChain is how many certificates of a client's are looked at.
const maxChain = 10

// Authorizer knows callers by certificates. It is a scheme.Scheme.
type Authorizer struct {
	roots    *x509.CertPool
	lists    []*list
	rules    []Rule
	kind     string // of the name that is the principal
	origins  []string
	verified *recall.Cache[*exchange.Principal]
}

var _ scheme.Scheme = (*Authorizer)(nil)

// New returns the Authorizer of a checked configuration.
func New(c *Config) *Authorizer {
	a := &Authorizer{roots: x509.NewCertPool(), rules: c.Allow, kind: c.Principal, verified: recall.New[*exchange.Principal](remembered)}
	authorities, _ := c.Authorities()
	for _, cert := range authorities {
		a.roots.AddCert(cert)
	}
	for i := range c.CRL {
		if l, err := readList(c.CRL[i].Content, authorities); err == nil {
			a.lists = append(a.lists, l)
		}
	}
	for _, o := range c.Origins {
		a.origins = append(a.origins, string(o))
	}
	return a
}

// Authenticate implements scheme.Scheme. A certificate that was verified within
// the last minutes, and is still good, costs a look into a table.
func (a *Authorizer) Authenticate(x *exchange.Exchange, r *http.Request) scheme.Verdict {
	if len(x.Conn.Certificates) == 0 {
		return scheme.Verdict{}
	}
	key := recall.Key(x.Conn.Fingerprint)
	p, ok := a.verified.Get(key, x.Start)
	if !ok {
		var until time.Time
		var bad scheme.Verdict
		if p, until, bad = a.verify(x.Conn, x.Start); p == nil {
			return bad
		}
		a.verified.Put(key, p, until, x.Start)
	}
	if scheme.CrossOrigin(r, a.origins) { // browsers show it of themselves
		return scheme.CrossOriginVerdict("certificate")
	}
	return scheme.Good(p)
}

// verify returns whose the certificate is, and until when that is sure.
func (a *Authorizer) verify(c *exchange.Conn, now time.Time) (*exchange.Principal, time.Time, scheme.Verdict) {
	leaf := c.Certificates[0]
	if now.After(leaf.NotAfter) {
		return nil, now, bad("expired", "the certificate expired on "+leaf.NotAfter.Format(time.DateTime))
	}
	between := x509.NewCertPool()
	for _, cert := range c.Certificates[1:min(len(c.Certificates), maxChain)] {
		between.AddCert(cert)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: a.roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return nil, now, bad("untrusted", strings.TrimPrefix(err.Error(), "x509: "))
	}
	var verdict scheme.Verdict
	for _, chain := range chains {
		until, why := a.unrevoked(chain, now)
		if why.Found {
			verdict = why
			continue
		}
		p, why := a.principal(leaf, chain)
		return p, until, why
	}
	return nil, now, verdict
}

func bad(reason, detail string) scheme.Verdict {
	return scheme.Verdict{Found: true, Status: http.StatusForbidden, Reason: reason, Detail: detail}
}

// unrevoked holds a chain against the lists, and returns until when the answer is
// good.
func (a *Authorizer) unrevoked(chain []*x509.Certificate, now time.Time) (time.Time, scheme.Verdict) {
	until := now.Add(rememberFor)
	for i, cert := range chain {
		until = earlier(until, cert.NotAfter)
		if i == len(chain)-1 || len(a.lists) == 0 {
			continue
		}
		l := a.listOf(chain[i+1])
		switch {
		case l == nil && i == 0:
			return until, bad("no-crl", "there is no list of revoked certificates of "+cert.Issuer.String())
		case l == nil:
			continue
		case !now.Before(l.list.NextUpdate):
			return until, scheme.Verdict{Found: true, Status: http.StatusServiceUnavailable, Reason: "crl-expired", Detail: "the list of revoked certificates of " + cert.Issuer.String() + " was good until " + l.list.NextUpdate.Format(time.DateTime)}
		case l.revoked[cert.SerialNumber.String()]:
			return until, bad("revoked", "the certificate "+cert.SerialNumber.String()+" of "+cert.Issuer.String()+" is revoked")
		}
		until = earlier(until, l.list.NextUpdate)
	}
	return until, scheme.Verdict{}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// listOf returns the newest list of an authority; nil for none. Authorities are
// told apart by their keys: two may have one name.
func (a *Authorizer) listOf(authority *x509.Certificate) (newest *list) {
	for _, l := range a.lists {
		if bytes.Equal(l.of.RawSubjectPublicKeyInfo, authority.RawSubjectPublicKeyInfo) && (newest == nil || l.list.ThisUpdate.After(newest.list.ThisUpdate)) {
			newest = l
		}
	}
	return newest
}

// principal returns who the certificate names. Who vouches is the authority at the
// end of its chain.
func (a *Authorizer) principal(leaf *x509.Certificate, chain []*x509.Certificate) (*exchange.Principal, scheme.Verdict) {
	if len(a.rules) > 0 && !slices.ContainsFunc(a.rules, func(r Rule) bool { return r.fits(leaf) }) {
		return nil, bad("not-allowed", "no rule under allow fits the certificate of "+leaf.Subject.String())
	}
	fingerprint := fingerprintOf(leaf)
	subject := fingerprint
	if a.kind != "fingerprint" {
		names := namesOf(leaf, a.kind)
		if len(names) != 1 || names[0] == "" {
			return nil, bad("no-subject", "the certificate of "+leaf.Subject.String()+" has no "+a.kind+", or several, to name its caller by")
		}
		subject = names[0]
	}
	issuer := strings.ReplaceAll(chain[len(chain)-1].Subject.String(), "|", `\7C`) // parts issuer and subject
	p := exchange.NewPrincipal("mtls", issuer, subject)
	p.Claims = map[string]any{
		"subject": leaf.Subject.String(), "issuer": leaf.Issuer.String(), "serial": leaf.SerialNumber.String(), "fingerprint": fingerprint,
		"cn": leaf.Subject.CommonName, "dns": values(namesOf(leaf, "dns")), "uri": values(namesOf(leaf, "uri")), "email": values(leaf.EmailAddresses),
	}
	return p, scheme.Verdict{}
}

// values are texts as claims hold them.
func values(texts []string) []any {
	out := make([]any, len(texts))
	for i, text := range texts {
		out[i] = text
	}
	return out
}

func fingerprintOf(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// Challenge implements scheme.Scheme: HTTP has none for certificates.
func (a *Authorizer) Challenge(string, bool) string { return "" }

// Login implements scheme.Scheme.
func (a *Authorizer) Login() string { return "" }

// QueryParameters implements scheme.Scheme.
func (a *Authorizer) QueryParameters() []string { return nil }

// Strip implements scheme.Scheme: the certificate stays with the connection.
func (a *Authorizer) Strip(*exchange.Exchange, *http.Request) {}

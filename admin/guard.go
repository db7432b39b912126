package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// guard decides who may ask the admin listener. It is immutable.
type guard struct {
	certificate *tls.Certificate // nil for plain HTTP
	leaf        *x509.Certificate
	host        string // of the listener's address as configured
	token       [sha256.Size]byte
	needsToken  bool
}

func newGuard(c Config) (*guard, error) {
	g := &guard{}
	g.host, _, _ = net.SplitHostPort(c.address())
	if c.Token.IsSet() {
		g.token, g.needsToken = sha256.Sum256([]byte(c.Token.Reveal())), true
	}
	if c.TLS == nil {
		return g, nil
	}
	pair, err := tls.X509KeyPair(c.TLS.Cert.Content, c.TLS.Key.Content)
	if err != nil {
		return nil, err
	}
	g.certificate, g.leaf = &pair, pair.Leaf
	return g, nil
}

// fitFor reports whether the guard suffices at an address: one that others can
// reach takes TLS and a token. The configuration is checked for that, but of a
// name it cannot know where it leads.
func (g *guard) fitFor(a netip.Addr) bool {
	return a.Unmap().IsLoopback() || g.certificate != nil && g.needsToken
}

// refuse returns the status and the reason to refuse a request with; 0 where
// it may pass.
func (g *guard) refuse(r *http.Request) (status int, reason string) {
	switch {
	case len(r.Header["Origin"]) > 0 || crossSite(r):
		return http.StatusForbidden, "web pages may not ask the admin listener"
	case !g.ownName(r):
		return http.StatusMisdirectedRequest, "the admin listener has no such host name: use its address"
	case isSigned(r):
		return 0, "" // the signature decides
	case r.Method == http.MethodPost && r.URL.Path == pushPath:
		return 0, "" // its own token decides
	case isForm(r):
		return g.admit(r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return http.StatusMethodNotAllowed, "the admin listener only answers questions (GET): changes go through the control socket"
	case r.ContentLength != 0:
		return http.StatusBadRequest, "the admin listener takes no bodies"
	}
	return g.admit(r)
}

func (g *guard) admit(r *http.Request) (status int, reason string) {
	if g.needsToken && !g.authorized(r) {
		return http.StatusUnauthorized, "send the admin token as Authorization: Bearer TOKEN"
	}
	return 0, ""
}

// isForm reports a question of Prometheus' API that is sent as a form, since it is
// too long for a URL.
func isForm(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, prometheusPath) && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
}

// isSigned reports a request that claims to be signed as AWS's clients do: in
// its Authorization, or in its query.
func isSigned(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-") || strings.Contains(r.URL.RawQuery, "X-Amz-Signature=")
}

// crossSite reports whether a browser says that another site makes it ask.
func crossSite(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site != "" && site != "none" && site != "same-origin"
}

// ownName reports whether the Host is one that a web page cannot have made
// its own: a loopback name or address, the address that was connected to, the
// configured one, or a name of the certificate.
func (g *guard) ownName(r *http.Request) bool {
	host := hostOnly(r.Host)
	if isLoopback(host) || host == g.host {
		return host != ""
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap() == localAddr(r)
	}
	return g.leaf != nil && g.leaf.VerifyHostname(host) == nil
}

func hostOnly(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// localAddr returns our address of the request's connection.
func localAddr(r *http.Request) netip.Addr {
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if addr == nil {
		return netip.Addr{}
	}
	return addr.AddrPort().Addr().Unmap()
}

func (g *guard) authorized(r *http.Request) bool {
	values := r.Header["Authorization"]
	if len(values) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1
}

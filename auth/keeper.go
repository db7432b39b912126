package auth

import (
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/netip"

	"gatehouse/auth/basic"
	"gatehouse/auth/custom"
	"gatehouse/auth/introspection"
	"gatehouse/auth/jwt"
	"gatehouse/auth/mtls"
	"gatehouse/auth/oidc"
	"gatehouse/auth/scheme"
	"gatehouse/auth/seal"
	"gatehouse/auth/sigv4"
	"gatehouse/exchange"
	"gatehouse/iam"
)

// Options are what a Keeper needs of others.
type Options struct {
	// Fetch returns what gets keys: see jwt.Options.
	Fetch func(roots *x509.CertPool) Fetch
	// Foreign returns what gets keys from servers that an issuer names.
	Foreign func(roots *x509.CertPool, listed []netip.Prefix) Fetch
	// Development returns the public JWKS of the development key.
	Development func() ([]byte, error)
	// Client returns what asks programs, and issuers that the operator names: see
	// custom.Client.
	Client custom.Client
	// ForeignClient returns what asks servers that issuers name.
	ForeignClient func(roots *x509.CertPool, listed []netip.Prefix) *http.Client
	// Cookies returns the keys that cookies are sealed with.
	Cookies func() (*seal.Ring, error)
	// Logouts are the sessions of browsers that are over: see oidc.Logouts.
	Logouts oidc.Logouts
	// Sessions are those of iam.
	Sessions *iam.Sealer
	// Fetched are the key sets of a process that is taken over.
	Fetched []Fetched
	// Log is told when keys cannot be fetched, and when they can again.
	Log *slog.Logger
}

// Fetch gets a URL: see jwt.Fetch.
type Fetch = jwt.Fetch

// Fetched is a key set for a process that takes over: see jwt.Fetched.
type Fetched = jwt.Fetched

// Invoker asks functions that are authorizers.
type Invoker = custom.Invoker

// ErrUnauthorized is what an Invoker returns of a function that knows nobody.
var ErrUnauthorized = custom.ErrUnauthorized

// Keeper keeps what authorizers know over reloads: fetched keys and verified
// credentials. It is safe for concurrent use.
type Keeper struct {
	tokens     *jwt.Keeper
	signatures *sigv4.Keeper
	programs   *custom.Keeper
	passwords  *basic.Keeper
	issuers    *introspection.Keeper
	logins     *oidc.Keeper
}

// NewKeeper returns a Keeper that knows nothing yet.
func NewKeeper(o Options) *Keeper {
	clients := introspection.Clients{Own: o.Client, Foreign: o.ForeignClient}
	return &Keeper{
		issuers:    introspection.NewKeeper(clients),
		logins:     oidc.NewKeeper(clients, o.Cookies, o.Logouts),
		tokens:     jwt.NewKeeper(jwt.Options{Fetch: o.Fetch, Foreign: o.Foreign, Development: o.Development, Fetched: o.Fetched, Log: o.Log}),
		signatures: sigv4.NewKeeper(o.Sessions),
		programs:   custom.NewKeeper(o.Client),
		passwords:  basic.NewKeeper(),
	}
}

// Signatures returns what verifies signatures, for services beside the APIs.
func (k *Keeper) Signatures() *sigv4.Keeper { return k.signatures }

// Close ends what the Keeper does in the background.
func (k *Keeper) Close() {
	k.tokens.Close()
	k.programs.Close()
	k.issuers.Close()
	k.logins.Close()
}

// Keys returns the state of all keys that come from networks, by URL.
func (k *Keeper) Keys() []jwt.KeysStatus { return k.tokens.Status() }

// Fetched returns every key set that has come from a network.
func (k *Keeper) Fetched() []Fetched { return k.tokens.Fetched() }

// Begin starts a lease: the part of a reload that concerns authorizers.
func (k *Keeper) Begin() *Lease {
	return &Lease{tokens: k.tokens.Begin(), signatures: k.signatures, programs: k.programs.Begin(), passwords: k.passwords, issuers: k.issuers.Begin(), logins: k.logins.Begin()}
}

// Lease is one configuration's hold on what authorizers know. It is not safe
// for concurrent use; the Authorizers that it gives are.
type Lease struct {
	tokens     *jwt.Lease
	signatures *sigv4.Keeper // has nothing to lease
	programs   *custom.Lease
	passwords  *basic.Keeper // nor has this
	issuers    *introspection.Lease
	logins     *oidc.Lease
}

// Functions says who asks functions that are authorizers. It is called before the
// first Authorizer.
func (l *Lease) Functions(i Invoker) { l.programs.Functions(i) }

// Commit makes the lease's authorizers those that are kept.
func (l *Lease) Commit() {
	l.tokens.Commit()
	l.programs.Commit()
	l.issuers.Commit()
	l.logins.Commit()
}

// Abort gives up what the lease opened.
func (l *Lease) Abort() {
	l.tokens.Abort()
	l.programs.Abort()
	l.issuers.Abort()
	l.logins.Abort()
}

// Authorizer is one way of finding out who calls, ready for use. It is
// immutable and safe for concurrent use.
type Authorizer struct {
	scheme  scheme.Scheme
	realm   string
	forward bool // the service gets the credential
	rule    *exchange.Rule
}

// Authorizer returns the authorizer of a configuration that has been checked.
// The realm is what clients are told that their credential is for: the API's
// name; who signs is looked up in the directory. It waits for nobody; it fails
// only where the development key cannot be read or made.
func (l *Lease) Authorizer(realm string, c *Config, users *iam.Directory) (*Authorizer, error) {
	s, err := l.scheme(realm, c, users)
	if err != nil {
		return nil, err
	}
	rule := &exchange.Rule{Filter: "auth", Name: c.Name + " (" + c.kind() + ")", At: c.Pos}
	return &Authorizer{scheme: s, realm: realm, forward: c.Forward && c.OIDC == nil, rule: rule}, nil
}

func (l *Lease) scheme(realm string, c *Config, users *iam.Directory) (scheme.Scheme, error) {
	switch {
	case c.IAM != nil:
		return l.signatures.Scheme(c.IAM, users), nil
	case c.asked() != nil:
		return l.programs.Authorizer(c.asked(), realm, users.Account, users.Region)
	case c.Token != nil:
		return l.issuers.Authorizer(c.Token)
	case c.OIDC != nil:
		tokens, err := l.tokens.Verifier(c.OIDC.Tokens())
		if err != nil {
			return nil, err
		}
		return l.logins.Authorizer(c.OIDC, realm, c.Name, c.Forward, tokens)
	case c.MTLS != nil:
		return mtls.New(c.MTLS), nil
	case c.Basic != nil:
		return l.passwords.Authorizer(c.Basic, realm, c.Name), nil
	}
	return l.tokens.Verifier(c.JWT)
}

// QueryParameters returns the names of the query parameters that the
// authorizer reads credentials from: no log may hold them.
func (a *Authorizer) QueryParameters() []string { return a.scheme.QueryParameters() }

// Door returns what answers under the authorizer's own path; nil where it has none.
func (a *Authorizer) Door() http.Handler {
	door, _ := a.scheme.(http.Handler)
	return door
}

var _ http.Handler = (*filter)(nil)

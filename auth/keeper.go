package auth

import (
	"net/http"

	"gatehouse/auth/jwt"
	"gatehouse/auth/scheme"
	"gatehouse/auth/sigv4"
	"gatehouse/exchange"
	"gatehouse/iam"
)

// Options are what a Keeper needs of others.
type Options = jwt.Options

// Fetch gets a URL: see jwt.Fetch.
type Fetch = jwt.Fetch

// Keeper keeps what authorizers know over reloads: fetched keys and verified
// credentials. It is safe for concurrent use.
type Keeper struct {
	tokens     *jwt.Keeper
	signatures *sigv4.Keeper
}

// NewKeeper returns a Keeper that knows nothing yet. Sessions of iam are those
// that the Sealer has sealed.
func NewKeeper(o Options, sessions *iam.Sealer) *Keeper {
	return &Keeper{tokens: jwt.NewKeeper(o), signatures: sigv4.NewKeeper(sessions)}
}

// Signatures returns what verifies signatures, for services beside the APIs.
func (k *Keeper) Signatures() *sigv4.Keeper { return k.signatures }

// Close ends what the Keeper does in the background.
func (k *Keeper) Close() { k.tokens.Close() }

// Keys returns the state of all keys that come from networks, by URL.
func (k *Keeper) Keys() []jwt.KeysStatus { return k.tokens.Status() }

// Begin starts a lease: the part of a reload that concerns authorizers.
func (k *Keeper) Begin() *Lease { return &Lease{tokens: k.tokens.Begin(), signatures: k.signatures} }

// Lease is one configuration's hold on what authorizers know. It is not safe
// for concurrent use; the Authorizers that it gives are.
type Lease struct {
	tokens     *jwt.Lease
	signatures *sigv4.Keeper // has nothing to lease
}

// Commit makes the lease's authorizers those that are kept.
func (l *Lease) Commit() { l.tokens.Commit() }

// Abort gives up what the lease opened.
func (l *Lease) Abort() { l.tokens.Abort() }

// Authorizer is one way of finding out who calls, ready for use. It is
// immutable and safe for concurrent use.
type Authorizer struct {
	scheme scheme.Scheme
	realm  string
	rule   *exchange.Rule
}

// Authorizer returns the authorizer of a configuration that has been checked.
// The realm is what clients are told that their credential is for: the API's
// name; who signs is looked up in the directory. It waits for nobody; it fails
// only where the development key cannot be read or made.
func (l *Lease) Authorizer(realm string, c *Config, users *iam.Directory) (*Authorizer, error) {
	a := &Authorizer{realm: realm, rule: &exchange.Rule{Filter: "auth", Name: c.Name + " (" + c.kind() + ")", At: c.Pos}}
	if c.IAM != nil {
		a.scheme = l.signatures.Scheme(c.IAM, users)
		return a, nil
	}
	v, err := l.tokens.Verifier(c.JWT)
	if err != nil {
		return nil, err
	}
	a.scheme = v
	return a, nil
}

// QueryParameters returns the names of the query parameters that the
// authorizer reads credentials from: no log may hold them.
func (a *Authorizer) QueryParameters() []string { return a.scheme.QueryParameters() }

var _ http.Handler = (*filter)(nil)

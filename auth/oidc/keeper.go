package oidc

import (
	"crypto/sha256"
	"net/http"
	"time"

	"gatehouse/auth/discovery"
	"gatehouse/auth/introspection"
	"gatehouse/auth/jwt"
	"gatehouse/auth/revoked"
	"gatehouse/auth/seal"
	"gatehouse/auth/sign"
	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/keeper"
)

// Keeper keeps what is known of providers and sessions over reloads.
type Keeper struct {
	clients introspection.Clients
	ring    func() (*seal.Ring, error)
	logouts Logouts
	issuers *keeper.Set[[sha256.Size]byte, *known]
}

// Logouts knows which sessions are over before their time, over restarts and on all
// gateways where there is a state; *revoked.Logouts is one. A key names a session or
// all of a person's.
type Logouts interface {
	// End ends what had begun by a time; until is when all of it is over anyway.
	// An error means that it holds here alone as yet.
	End(key revoked.Logout, at, until time.Time) error
	Ended(key revoked.Logout) (at time.Time, ok bool)
}

// known is what is kept of one authorizer.
type known struct {
	memory       *memory
	provider     *discovery.Provider
	own, foreign *http.Client
}

// Retire implements keeper.Entry.
func (k *known) Retire() {
	k.own.CloseIdleConnections()
	k.foreign.CloseIdleConnections()
}

// NewKeeper returns a Keeper that knows nobody yet. Ring returns the keys that
// cookies are sealed with; it is called for a configuration that has logins alone.
func NewKeeper(c introspection.Clients, ring func() (*seal.Ring, error), logouts Logouts) *Keeper {
	return &Keeper{c, ring, logouts, keeper.NewSet[[sha256.Size]byte, *known]()}
}

// Close closes the connections.
func (k *Keeper) Close() { k.issuers.Close() }

// Begin starts a lease.
func (k *Keeper) Begin() *Lease { return &Lease{k, k.issuers.Begin()} }

// Lease is one configuration's hold on sessions. It is not safe for concurrent use.
type Lease struct {
	keeper  *Keeper
	issuers *keeper.Lease[[sha256.Size]byte, *known]
}

// Commit makes the lease's authorizers those that are kept.
func (l *Lease) Commit() { l.issuers.Commit() }

// Abort gives up what the lease opened.
func (l *Lease) Abort() { l.issuers.Abort() }

// Tokens returns the configuration by which the provider's tokens are verified.
func (c *Config) Tokens() *jwt.Config {
	return &jwt.Config{At: c.At, Issuer: c.Issuer, Audience: []string{c.ClientID}, Addresses: c.Addresses, CA: c.CA, Leeway: leeway, Expiry: "required"}
}

const leeway = config.Duration(30e9)

// Authorizer returns the authorizer called name of an API. Verifier verifies by
// Tokens. It waits for nobody; it fails where the keys cannot be read or made.
func (l *Lease) Authorizer(c *Config, api, name string, forward bool, verifier *jwt.Verifier) (*Authorizer, error) {
	ring, err := l.keeper.ring()
	if err != nil {
		return nil, err
	}
	who := []any{api, name, c.Issuer, c.ClientID}
	k, err := l.issuers.Get(config.Digest(append(who, c.CA.Content, c.Addresses)), func() (*known, error) {
		own := l.keeper.clients.Own(c.roots(), true)
		return &known{newMemory(), discovery.NewProvider(c.Issuer, introspection.Fetching(own)), own, l.keeper.clients.Foreign(c.roots(), c.Addresses)}, nil
	})
	if err != nil {
		return nil, err
	}
	a := &Authorizer{
		name: "__Host-gatehouse-" + name, purpose: api + "/" + name + " of " + c.ClientID + " at " + c.Issuer,
		issuer: c.Issuer, clientID: c.ClientID, secret: c.Secret.Reveal(), scopes: c.scopes(), path: c.Path, logoutTo: c.LogoutTo, ttl: c.TTL.D(), forward: forward,
		rule: &exchange.Rule{Filter: "auth", Name: name + " (oidc)", At: c.Pos},
		ring: ring, tokens: verifier, provider: k.provider, client: k.own, foreign: k.foreign, memory: k.memory, logouts: l.keeper.logouts,
	}
	for _, o := range c.Origins {
		a.origins = append(a.origins, string(o))
	}
	if c.Key.IsSet() {
		a.key, _ = sign.ParsePEM(c.Key.Content, c.KeyID) // which was checked
	}
	return a, nil
}

package introspection

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"

	"gatehouse/auth/discovery"
	"gatehouse/auth/recall"
	"gatehouse/auth/sign"
	"gatehouse/config"
	"gatehouse/keeper"
)

// Clients make what asks servers. What they make bounds answers, follows no
// redirect to another host, and is closed by CloseIdleConnections.
type Clients struct {
	// Own asks servers that the operator names, which the roots vouch for, nil for
	// the system's; plain lets it speak http.
	Own func(roots *x509.CertPool, plain bool) *http.Client
	// Foreign asks servers that an issuer names: by https, at public addresses and
	// those that are listed.
	Foreign func(roots *x509.CertPool, listed []netip.Prefix) *http.Client
}

// Keeper keeps issuers' answers over reloads.
type Keeper struct {
	clients Clients
	issuers *keeper.Set[[sha256.Size]byte, *Authorizer]
}

// NewKeeper returns a Keeper that has asked nobody yet.
func NewKeeper(c Clients) *Keeper {
	return &Keeper{c, keeper.NewSet[[sha256.Size]byte, *Authorizer]()}
}

// Close closes the connections.
func (k *Keeper) Close() { k.issuers.Close() }

// Begin starts a lease.
func (k *Keeper) Begin() *Lease { return &Lease{k.clients, k.issuers.Begin()} }

// Lease is one configuration's hold on answers. It is not safe for concurrent use.
type Lease struct {
	clients Clients
	issuers *keeper.Lease[[sha256.Size]byte, *Authorizer]
}

// Commit makes the lease's issuers those that are kept.
func (l *Lease) Commit() { l.issuers.Commit() }

// Abort gives up what the lease opened.
func (l *Lease) Abort() { l.issuers.Abort() }

// Retire implements keeper.Entry.
func (a *Authorizer) Retire() {
	a.own.CloseIdleConnections()
	a.foreign.CloseIdleConnections()
}

// Authorizer returns the Authorizer of a checked configuration. Equal ones share
// one. It waits for nobody.
func (l *Lease) Authorizer(c *Config) (*Authorizer, error) {
	return l.issuers.Get(c.digest(), func() (*Authorizer, error) {
		a := &Authorizer{
			issuer: c.Issuer, url: c.URL, own: l.clients.Own(c.roots(), true), foreign: l.clients.Foreign(c.roots(), c.Addresses),
			client:   client{id: c.ClientID, secret: c.Secret.Reveal()},
			audience: slices.Clone(c.Audience), from: slices.Clone(c.From), ttl: c.TTL.D(), negative: c.Negative.D(), timeout: c.Timeout.D(),
			printer: recall.NewPrinter(), answers: recall.New[*answer](remembered), turns: make(chan struct{}, atOnce),
		}
		for _, o := range c.Origins {
			a.origins = append(a.origins, string(o))
		}
		if c.Key.IsSet() {
			a.client.key, _ = sign.ParsePEM(c.Key.Content, c.KeyID) // which was checked
		}
		a.provider = discovery.NewProvider(c.Issuer, Fetching(a.own))
		return a, nil
	})
}

// digest is equal for configurations that verify alike.
func (c *Config) digest() [sha256.Size]byte {
	return config.Digest([]any{*c, c.Secret.Reveal(), c.Key.Content, c.CA.Content})
}

// maxFetch bounds what is fetched.
const maxFetch = 1 << 20

// Fetching gets URLs by a client.
func Fetching(client *http.Client) discovery.Fetch {
	return func(ctx context.Context, url string) ([]byte, http.Header, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, nil, err
		}
		resp, err := client.Do(r)
		if err != nil {
			return nil, nil, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, nil, fmt.Errorf("%s answered %s", url, resp.Status)
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxFetch))
		return body, resp.Header, err
	}
}

package gatehouse

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

	"gatehouse/admin"
	"gatehouse/auth"
	"gatehouse/auth/devkey"
	"gatehouse/auth/identity"
	"gatehouse/auth/revoked"
	"gatehouse/auth/seal"
	"gatehouse/auth/sigv4"
	"gatehouse/bound"
	"gatehouse/compress"
	"gatehouse/dial"
	"gatehouse/edge"
	"gatehouse/edge/acme"
	"gatehouse/edge/ca"
	"gatehouse/exchange"
	"gatehouse/function"
	"gatehouse/function/sandbox"
	"gatehouse/iam"
	"gatehouse/iam/accesskey"
	"gatehouse/keeper"
	"gatehouse/limit"
	"gatehouse/mirror"
	"gatehouse/observe"
	"gatehouse/observe/accesslog"
	"gatehouse/secrets"
	"gatehouse/state"
	"gatehouse/state/vault"
	"gatehouse/tunnel"
	"gatehouse/upstream"
	"gatehouse/upstream/ticket"
	"gatehouse/usage"
	"gatehouse/waf"
	"gatehouse/waf/challenge"
	"gatehouse/waf/crawler"
)

// keepers are what outlives a reload.
type keepers struct {
	bodies    *exchange.Budget
	encoders  *compress.Keeper
	authority *ca.CA
	acme      *acme.Keeper
	dialer    *dial.Dialer
	observe   *observe.Keeper
	limits    *limit.Keeper
	slots     *limit.Slots
	state     *state.Store
	usage     *usage.Keeper
	revoked   *revoked.List
	logouts   *revoked.Logouts
	access    *accesskey.Keeper
	audit     *auditing
	sealer    *iam.Sealer
	bounds    *bound.Keeper
	keys      *auth.Keeper
	identity  func() (*identity.Keys, error) // sign what services are told
	place     secrets.Place                  // of the gateway's own secrets
	vault     *vault.Vault                   // the place in the state
	turns     *secrets.Keeper
	tickets   *edge.Tickets              // nil where each listener has its own keys
	cookies   func() (*seal.Ring, error) // seals what browsers keep
	upstreams *upstream.Keeper
	mirrors   *mirror.Keeper
	acls      *waf.Keeper
	bots      *crawler.Keeper
	provers   *challenge.Keeper
	tunnels   *tunnel.Keeper
	functions *function.Keeper
	sandbox   atomic.Pointer[sandbox.Sandbox] // nil without functions
	log       *slog.Logger
	listeners *edge.Listeners
	admin     *keeper.Set[string, *admin.Listener]
}

func newKeepers(cfg *Config, g *Gateway, o Options) (*keepers, error) {
	k := &keepers{
		bodies:   exchange.NewBudget(int64(cfg.Limits.Buffers)),
		encoders: compress.NewKeeper(int64(cfg.Limits.Encoders)),
		dialer:   dial.New(dial.Options{}),
		tunnels:  tunnel.NewKeeper(),
		limits:   limit.NewKeeper(limit.Options{Names: cfg.Limits.Principals}),
		slots:    limit.NewSlots(),
	}
	if err := k.openSecrets(cfg, g, o.Logger); err != nil {
		k.usage.Close()
		k.state.Close()
		return nil, err
	}
	k.acme = acme.NewKeeper(acme.Options{Folder: filepath.Join(cfg.Data.Value, "acme"), Client: k.acmeClient, Log: o.Logger})
	if g.taking != nil {
		k.acme.Retire() // until the folder is this process's alone
	}
	k.observe = observe.NewKeeper(observe.Options{Logger: o.Logger, Stdout: o.Stdout, Version: o.Version, Sources: k.sources(g), Shared: g.taking != nil, Folder: filepath.Join(cfg.Data.Value, "metrics")})
	k.cookies = turning(k, seal.Open)
	k.keys = auth.NewKeeper(auth.Options{
		Fetch:         k.fetcher,
		Foreign:       k.foreigner,
		Development:   func() ([]byte, error) { return developmentKeys(cfg.Data.Value) },
		Client:        k.programClient,
		ForeignClient: k.foreignClient,
		Cookies:       k.cookies,
		Logouts:       k.logouts,
		Sessions:      k.sealer,
		Fetched:       g.known.keys,
		Log:           o.Logger,
	})
	k.upstreams = upstream.NewKeeper(upstream.Options{Dialer: k.dialer, Log: o.Logger, Known: g.known.upstreams, Certificate: k.clientCertificate, Tickets: turning(k, ticket.Open)})
	k.log = o.Logger
	k.functions = function.NewKeeper(function.Options{
		Launch: func() (function.Launcher, error) { return k.launcher(cfg.Isolation) },
		Data:   cfg.Data.Value, Processes: cfg.Limits.Processes, Log: o.Logger,
	})
	k.bounds = bound.NewKeeper()
	k.mirrors = mirror.NewKeeper()
	k.acls = waf.NewKeeper()
	k.bots = crawler.NewKeeper()
	k.provers = challenge.NewKeeper(func() (challenge.Seals, error) { return k.cookies() })
	k.admin = keeper.NewSet[string, *admin.Listener]()
	k.listeners = edge.NewListeners(edge.Options{Handler: g, Policy: g.policy, Refused: g.engineRefused, Inherit: g.inherit, Log: o.Logger})
	return k, nil
}

// acmeClient is how a CA is asked for certificates, and a webhook for records.
func (k *keepers) acmeClient(roots *x509.CertPool, plain bool) *http.Client {
	return k.dialer.HTTPClient(dial.ClientOptions{Timeout: 30 * time.Second, Plain: plain, TLS: &tls.Config{RootCAs: roots}})
}

// programClient is how authorizers that are programs are asked.
func (k *keepers) programClient(roots *x509.CertPool, plain bool) *http.Client {
	return k.dialer.HTTPClient(dial.ClientOptions{Timeout: 30 * time.Second, Plain: plain, KeepAlive: true, TLS: &tls.Config{RootCAs: roots}})
}

func (k *keepers) clientCertificate() (*tls.Certificate, error) {
	return k.authority.ClientCertificate()(&tls.CertificateRequestInfo{})
}

func developmentKeys(data string) ([]byte, error) {
	key, err := devkey.Open(data)
	if err != nil {
		return nil, err
	}
	return key.JWKS(), nil
}

// fetcher gets what the gateway needs from networks for itself.
func (k *keepers) fetcher(roots *x509.CertPool) auth.Fetch {
	return fetching(k.dialer.HTTPClient(dial.ClientOptions{Plain: true, TLS: &tls.Config{RootCAs: roots}}))
}

// foreigner is how servers are asked that others than the operator name.
func (k *keepers) foreigner(roots *x509.CertPool, listed []netip.Prefix) auth.Fetch {
	return fetching(k.foreignClient(roots, listed))
}

func (k *keepers) foreignClient(roots *x509.CertPool, listed []netip.Prefix) *http.Client {
	return k.dialer.Public(listed...).HTTPClient(dial.ClientOptions{TLS: &tls.Config{RootCAs: roots}})
}

func fetching(client *http.Client) auth.Fetch {
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
		body, err := io.ReadAll(resp.Body)
		return body, resp.Header, err
	}
}

// close ends the keepers, last in first out; the listeners have ended before.
func (k *keepers) close(ctx context.Context) {
	k.admin.Each(func(_ string, l *admin.Listener) { _ = l.Close(ctx) })
	k.mirrors.Close()
	k.functions.Close()
	if s := k.sandbox.Load(); s != nil {
		_ = s.Close()
	}
	k.bots.Close()
	k.acme.Close(ctx)
	k.upstreams.Close()
	k.keys.Close()
	k.turns.Close()
	k.usage.Close()
	k.state.Close()
	k.audit.close()
	k.observe.Close()
}

// leases are one reload's hold on all keepers.
type leases struct {
	encoders    *compress.Keeper // has nothing to lease
	acme        *acme.Lease
	observe     *observe.Lease
	limits      *limit.Lease
	slots       *limit.Slots  // has nothing to lease
	usage       *usage.Keeper // nor has this
	revoked     *revoked.List // nor this
	bounds      *bound.Lease
	sealer      *iam.Sealer   // nor this
	signed      *sigv4.Keeper // nor this
	identityKey func() (*identity.Keys, error)
	identity    *identity.Keys // nil where nobody is told by a token
	keys        *auth.Lease
	upstreams   *upstream.Lease
	mirrors     *mirror.Lease
	acls        *waf.Lease
	functions   *function.Lease
	gates       gates                      // has nothing to lease
	checker     *crawler.Checker           // nor this
	aclLogs     map[string]*accesslog.File // by path
	tunnels     *tunnel.Keeper             // has nothing to lease
	listeners   *edge.Lease
	admin       *keeper.Lease[string, *admin.Listener]
}

func (k *keepers) begin() *leases {
	return &leases{
		encoders:    k.encoders,
		acme:        k.acme.Begin(),
		observe:     k.observe.Begin(),
		limits:      k.limits.Begin(),
		slots:       k.slots,
		usage:       k.usage,
		revoked:     k.revoked,
		bounds:      k.bounds.Begin(),
		sealer:      k.sealer,
		identityKey: k.identity,
		signed:      k.keys.Signatures(),
		keys:        k.keys.Begin(),
		upstreams:   k.upstreams.Begin(),
		mirrors:     k.mirrors.Begin(),
		acls:        k.acls.Begin(),
		functions:   k.functions.Begin(),
		tunnels:     k.tunnels,
		listeners:   k.listeners.Begin(),
		admin:       k.admin.Begin(),
	}
}

// commit makes the lease what is kept; listeners last, since then new
// connections come.
func (l *leases) commit() {
	l.observe.Commit()
	l.limits.Commit()
	l.bounds.Commit()
	l.keys.Commit()
	l.upstreams.Commit()
	l.mirrors.Commit()
	l.acls.Commit()
	l.functions.Commit()
	l.admin.Commit()
	l.acme.Commit()
	l.listeners.Commit()
}

// abort leaves everything as it was.
func (l *leases) abort() {
	l.listeners.Abort()
	l.acme.Abort()
	l.admin.Abort()
	l.functions.Abort()
	l.acls.Abort()
	l.mirrors.Abort()
	l.upstreams.Abort()
	l.keys.Abort()
	l.bounds.Abort()
	l.limits.Abort()
	l.observe.Abort()
}

// listenAdmin binds the admin listener where the configuration wants one.
func (l *leases) listenAdmin(c admin.Config, g *Gateway) (admin.Settings, error) {
	settings, err := c.Settings()
	if err != nil {
		return settings, err
	}
	address, wanted := c.Listens()
	if !wanted {
		return settings, nil
	}
	listener, err := l.admin.Get(address, func() (*admin.Listener, error) {
		return admin.Listen(address, g.inheritAdmin, settings, control{g}, g.pages(false), g.log)
	})
	if err != nil {
		return settings, fmt.Errorf("%s: %w", c.Of("address"), err)
	}
	g.keepers.denyAdmin(listener.Addr())
	return settings, nil
}

// admitAdmin makes the settings hold at the admin listener.
func (k *keepers) admitAdmin(settings admin.Settings) {
	k.admin.Each(func(_ string, l *admin.Listener) { l.Serve(settings) })
}

// denyAdmin keeps every target from reaching the admin listener, and one that
// is about to become it: a connection that was opened in between would stay in
// its pool.
func (k *keepers) denyAdmin(next ...netip.AddrPort) {
	own := next
	k.admin.Each(func(_ string, l *admin.Listener) { own = append(own, l.Addr()) })
	k.dialer.SetOwn(own)
}

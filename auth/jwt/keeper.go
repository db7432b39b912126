package jwt

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"gatehouse/auth/discovery"
	"gatehouse/keeper"
)

// Options are what a Keeper needs of others.
type Options struct {
	// Fetch returns what gets the keys behind URLs from servers that the roots
	// vouch for; nil for the system's.
	Fetch func(roots *x509.CertPool) Fetch
	// Foreign returns what gets keys from servers that an issuer names: public ones,
	// and those that are listed.
	Foreign func(roots *x509.CertPool, listed []netip.Prefix) Fetch
	// Development returns the public JWKS of the development key. It is called
	// only for a configuration that uses it.
	Development func() ([]byte, error)
	// Fetched are key sets that the process had which was taken over, for the
	// first configuration.
	Fetched []Fetched
	// Log is told when keys cannot be fetched, and when they can again.
	Log *slog.Logger
}

// Keeper keeps keys and verified tokens over reloads. It is safe for concurrent
// use.
type Keeper struct {
	options   Options
	cache     *cache
	remotes   *keeper.Set[origin, *remote]
	verifiers *keeper.Set[[sha256.Size]byte, *Verifier]
}

// origin is where keys come from, and a hash of whom their server is trusted by.
type origin struct {
	url    string
	listed string // the private addresses where else keys may be; "" without discovery, too
	trust  [sha256.Size]byte
}

func (o origin) compare(p origin) int {
	return cmp.Or(strings.Compare(o.url, p.url), strings.Compare(o.listed, p.listed), bytes.Compare(o.trust[:], p.trust[:]))
}

// NewKeeper returns a Keeper without keys.
func NewKeeper(o Options) *Keeper {
	return &Keeper{options: o, cache: newCache(cacheSize), remotes: keeper.NewSet[origin, *remote](), verifiers: keeper.NewSet[[sha256.Size]byte, *Verifier]()}
}

// Close ends all fetching.
func (k *Keeper) Close() {
	k.verifiers.Close()
	k.remotes.Close()
}

// Status returns the state of all keys behind URLs, by URL. One that is fetched for
// several authorities is numbered.
func (k *Keeper) Status() []KeysStatus {
	all := make(map[origin]*remote)
	k.remotes.Each(func(at origin, r *remote) { all[at] = r })
	var out []KeysStatus
	times := make(map[string]int)
	for _, at := range slices.SortedFunc(maps.Keys(all), origin.compare) {
		s := all[at].status()
		if times[at.url]++; times[at.url] > 1 {
			s.URL += fmt.Sprintf(" #%d", times[at.url])
		}
		out = append(out, s)
	}
	return out
}

// Begin starts a lease: the part of a reload that concerns tokens.
func (k *Keeper) Begin() *Lease {
	return &Lease{keeper: k, remotes: k.remotes.Begin(), verifiers: k.verifiers.Begin()}
}

// Lease is one configuration's hold on keys and verified tokens. It is not safe
// for concurrent use; the Verifiers that it gives are.
type Lease struct {
	keeper    *Keeper
	remotes   *keeper.Lease[origin, *remote]
	verifiers *keeper.Lease[[sha256.Size]byte, *Verifier]
}

// Commit makes the lease's Verifiers those that are kept.
func (l *Lease) Commit() {
	l.keeper.options.Fetched = nil // what comes later is to be fetched
	l.verifiers.Commit()
	l.remotes.Commit()
}

// Abort gives up what the lease opened.
func (l *Lease) Abort() {
	l.verifiers.Abort()
	l.remotes.Abort()
}

// Verifier returns the Verifier of a configuration that has been checked. It
// waits for nobody: keys behind a URL begin to be fetched, once for all that
// name the URL. It fails only where the development key cannot be had.
func (l *Lease) Verifier(c *Config) (*Verifier, error) {
	source, text, err := l.source(c)
	if err != nil {
		return nil, err
	}
	return l.verifiers.Get(c.digest(text), func() (*Verifier, error) {
		return newVerifier(c, source, l.keeper.cache), nil
	})
}

func newVerifier(c *Config, s source, cache *cache) *Verifier {
	v := &Verifier{
		rules:      rules{issuer: c.Issuer, audience: slices.Clone(c.Audience), leeway: c.Leeway.D(), withoutExpiry: c.Expiry == "optional"},
		algorithms: slices.Clone(c.algorithms()),
		from:       slices.Clone(c.From),
		login:      string(c.Login),
		source:     s,
		cache:      cache,
	}
	for _, o := range c.Origins {
		v.origins = append(v.origins, string(o))
	}
	return v
}

// source returns where the configuration's keys come from, and a text that is
// equal for equal keys.
func (l *Lease) source(c *Config) (source, string, error) {
	if c.Secret.IsSet() {
		return fixed{&keySet{keys: []*key{c.secretKey()}}}, "secret " + c.Secret.Reveal(), nil
	}
	switch c.JWKS.Kind {
	case NoSource:
		at := origin{discovery.URL(c.Issuer), fmt.Sprint(c.Addresses), sha256.Sum256(c.CA.Content)}
		r, err := l.remotes.Get(at, func() (*remote, error) {
			o := &l.keeper.options
			return newRemote(spring{at.url, c.Issuer, o.Fetch(c.roots()), o.Foreign(c.roots(), c.Addresses)}, l.keeper.known(at), o.Log), nil
		})
		return r, fmt.Sprintf("issuer %s by %x, %s", at.url, at.trust, at.listed), err
	case URLSource:
		at := origin{url: c.JWKS.URL, trust: sha256.Sum256(c.CA.Content)}
		r, err := l.remotes.Get(at, func() (*remote, error) {
			return newRemote(spring{url: c.JWKS.URL, fetch: l.keeper.options.Fetch(c.roots())}, l.keeper.known(at), l.keeper.options.Log), nil
		})
		return r, fmt.Sprintf("url %s by %x", at.url, at.trust), err
	case DevelopmentSource:
		data, err := l.keeper.options.Development()
		if err != nil {
			return nil, "", fmt.Errorf("the development key: %w", err)
		}
		return static(data)
	}
	return static(c.JWKS.File.Content)
}

func static(data []byte) (source, string, error) {
	set, err := parseKeySet(data)
	if err != nil {
		return nil, "", err
	}
	return fixed{set}, "keys " + string(data), nil
}

// digest is equal for configurations that verify alike.
func (c *Config) digest(keys string) [sha256.Size]byte {
	var b []byte
	add := func(parts ...string) {
		b = fmt.Appendf(b, "%d:", len(parts))
		for _, p := range parts {
			b = fmt.Appendf(b, "%d:%s", len(p), p)
		}
	}
	add(keys, c.Issuer, c.Leeway.String(), c.Expiry, string(c.Login))
	add(c.Audience...)
	add(c.algorithms()...)
	for _, f := range c.From {
		add(f.Place, f.Name)
	}
	for _, o := range c.Origins {
		add(string(o))
	}
	return sha256.Sum256(b)
}

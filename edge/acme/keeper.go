package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"

	"gatehouse/exchange"
	"gatehouse/keeper"
)

// Options are what a Keeper needs. All are required.
type Options struct {
	// Folder is where accounts and certificates lie. It is made (0700) when
	// the first certificate is demanded.
	Folder string
	// Client returns a client that verifies servers by roots, nil for the
	// system's. It speaks https, and http too where plain is true.
	Client func(roots *x509.CertPool, plain bool) *http.Client
	Log    *slog.Logger
}

// Keeper obtains certificates and keeps them renewed. It is safe for concurrent
// use; leases are taken one at a time.
type Keeper struct {
	options Options
	files   *files
	book    *book
	set     *keeper.Set[string, *managed]
	slots   chan struct{}                       // one for each attempt at a time
	running work                                // the names' goroutines
	byName  atomic.Pointer[map[string]*managed] // of the last committed lease
	resting bool                                // between Retire and Resume
	present *authority                          // of the last committed lease; nil for none
	cache   *certmagic.Cache                    // certmagic wants one; nothing stays in it
}

// attempts is how many names are attended to at a time. CAs count orders by the
// hour; to be quick with many brings nothing.
const attempts = 4

// NewKeeper returns a Keeper that attends to nothing.
func NewKeeper(o Options) *Keeper {
	k := &Keeper{
		options: o, files: newFiles(o.Folder), book: newBook(), set: keeper.NewSet[string, *managed](), slots: make(chan struct{}, attempts),
	}
	k.byName.Store(&map[string]*managed{})
	return k
}

// Certificate returns what is to be served for a name, which may have "*" for
// its first label: the last certificate that was obtained, though it has
// expired; nil where none ever was, or the name is not demanded. It does not wait.
func (k *Keeper) Certificate(name string) *tls.Certificate {
	if m := (*k.byName.Load())[name]; m != nil {
		return m.served.Load()
	}
	return nil
}

// Challenge is tls.Config.GetConfigForClient: nil for everybody but a CA that
// asks by tls-alpn-01, which is then shown nothing else.
func (k *Keeper) Challenge(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	return k.book.challenge(hello)
}

// Handler answers http-01 for requests below Path, whose Exchange has Host and
// Path; the rule is noted on their trail.
func (k *Keeper) Handler(rule *exchange.Rule) http.Handler { return k.book.handler(rule) }

// Lease is one reload's demand.
type Lease struct {
	keeper    *Keeper
	inner     *keeper.Lease[string, *managed]
	authority *authority
	named     []*managed
}

// Begin starts a lease.
func (k *Keeper) Begin() *Lease { return &Lease{keeper: k, inner: k.set.Begin()} }

// Manage names what is demanded, which has been checked. Certificates that were
// obtained before are read from the disk; the CA is not asked before Commit. It
// fails where the folder or a file in it is open to others.
func (l *Lease) Manage(d Demand) error {
	if d.Config == nil || len(d.Names) == 0 {
		return nil
	}
	k := l.keeper
	if err := k.files.prepare(); err != nil {
		return fmt.Errorf("%s: %w", d.Config.Pos, err)
	}
	l.authority = newAuthority(k, &d)
	if k.present != nil && k.present.digest == l.authority.digest {
		l.authority = k.present
	}
	for _, name := range d.Names {
		m, err := l.inner.Get(name, func() (*managed, error) { return &managed{keeper: k, name: name}, nil })
		if err == nil {
			err = m.open(l.authority)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", d.Config.Pos, err)
		}
		l.named = append(l.named, m)
	}
	return nil
}

// Commit begins to attend to the names, and forgets those that are not named any
// more; their files stay. It does not wait for the CA.
func (l *Lease) Commit() {
	k := l.keeper
	if l.authority != nil && k.cache == nil {
		k.cache = newCache()
	}
	byName := make(map[string]*managed, len(l.named))
	for _, m := range l.named {
		byName[m.name] = m
		if !k.resting {
			m.start(l.authority)
		}
	}
	k.present = l.authority
	k.byName.Store(&byName)
	l.inner.Commit()
}

// Abort leaves everything as it was.
func (l *Lease) Abort() { l.inner.Abort() }

// newCache returns a cache without a life of its own: certmagic looks after what
// is in one, and nothing is put there.
func newCache() *certmagic.Cache {
	const never = 100 * 365 * 24 * time.Hour
	return certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) {
			return nil, errors.New("acme: nothing is cached")
		},
		RenewCheckInterval: never,
		OCSPCheckInterval:  never,
		Logger:             nop(),
	})
}

// Retire ends all that is under way, and waits for nothing. Certificates are
// served all the same. Nothing is begun before Resume. Retire, Pause and Resume
// are for who holds off leases meanwhile.
func (k *Keeper) Retire() {
	k.resting = true
	for _, m := range *k.byName.Load() {
		m.Retire()
	}
}

// Pause is Retire, and waits until nothing is under way, or ctx ends: then no
// file is written any more, and another process may. It reports whether it came
// to that.
func (k *Keeper) Pause(ctx context.Context) bool {
	k.Retire()
	return k.running.wait(ctx)
}

// Resume attends to the names that Retire or Pause has left, and to those that were
// named since.
func (k *Keeper) Resume() {
	k.resting = false
	for _, m := range *k.byName.Load() {
		m.start(k.present)
	}
}

// Close retires everything and waits for what is under way until ctx ends. It is
// called once.
func (k *Keeper) Close(ctx context.Context) {
	k.set.Close()
	k.running.wait(ctx)
	if k.cache != nil {
		k.cache.Stop()
	}
}

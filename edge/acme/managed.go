package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	protocol "github.com/mholt/acmez/v3/acme"
)

// managed is one name that has a certificate, or is to get one. It is the
// keeper's entry, kept as long as configurations demand the name.
type managed struct {
	keeper *Keeper
	name   string
	served atomic.Pointer[tls.Certificate] // nil until there is one

	mu     sync.Mutex
	by     *authority // that attends to it; nil until it is started, and once retired
	from   string     // the CA that the certificate is from; "" for none
	cancel context.CancelFunc
	ended  chan struct{} // closed when the last run has ended; nil before the first
	state  state
}

// state is how it stands with one name.
type state struct {
	ari      protocol.RenewalInfo // the CA's suggestion for the certificate; may have no window
	ask      time.Time            // when to ask for it again
	issued   time.Time            // when this process last got a certificate; zero for never
	next     time.Time            // of the next attempt after one that failed; else zero
	failing  int                  // attempts that have failed since the last that did not
	failures uint64               // attempts that have failed in all
	problem  string               // of the last attempt; "" where it did not fail
}

// open finds the certificate that is stored, of this CA or of another one that
// had the name before. An entry that has one keeps it.
func (m *managed) open(a *authority) error {
	if m.served.Load() != nil {
		return nil
	}
	cert, from, err := m.stored(a)
	if err != nil || cert == nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.served.CompareAndSwap(nil, cert) { // an attempt may have been quicker
		m.from = from
	}
	return nil
}

func (m *managed) stored(a *authority) (*tls.Certificate, string, error) {
	ctx := context.Background() // the disk alone is asked
	var harmed *damaged
	cert, err := m.keeper.load(ctx, a.key(), m.name)
	switch {
	case err == nil:
		return cert, a.key(), nil
	case errors.As(err, &harmed):
		return nil, "", nil // attend sees to it
	case !errors.Is(err, fs.ErrNotExist):
		return nil, "", err
	}
	var best *tls.Certificate
	from := ""
	for _, other := range m.keeper.files.issuers() {
		cert, err := m.keeper.load(ctx, other, m.name)
		if err == nil && (best == nil || cert.Leaf.NotAfter.After(best.Leaf.NotAfter)) {
			best, from = cert, other
		}
	}
	return best, from, nil
}

// start makes an authority attend to the name, in place of another one.
func (m *managed) start(a *authority) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by == a {
		return
	}
	before := m.ended
	if m.cancel != nil {
		m.cancel()
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.by, m.cancel, m.ended = a, cancel, make(chan struct{})
	m.state.next, m.state.failing, m.state.problem = time.Time{}, 0, ""
	ended := m.ended
	m.keeper.running.Go(func() {
		defer close(ended)
		if before != nil {
			<-before
		}
		m.run(ctx, a)
	})
}

// Retire implements keeper.Entry.
func (m *managed) Retire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cancel != nil {
		m.cancel()
	}
	m.by = nil
}

// recheck is the longest that a name is left alone: clocks are set, machines
// sleep.
const recheck = time.Hour

// run attends to the name until ctx ends.
func (m *managed) run(ctx context.Context, a *authority) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		m.attend(ctx, a)
		timer.Reset(min(max(time.Until(m.due(a)), 0), recheck))
	}
}

// due is when something is to be done next; zero for now.
func (m *managed) due(a *authority) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	cert := m.served.Load()
	switch {
	case !m.state.next.IsZero():
		return m.state.next
	case cert == nil || m.from != a.key():
		return time.Time{} // at once
	case m.state.ask.Before(m.renewal(cert.Leaf)):
		return m.state.ask
	}
	return m.renewal(cert.Leaf)
}

// attend does what is due.
func (m *managed) attend(ctx context.Context, a *authority) {
	if time.Now().Before(m.due(a)) {
		return
	}
	select {
	case m.keeper.slots <- struct{}{}:
		defer func() { <-m.keeper.slots }()
	case <-ctx.Done():
		return
	}
	cert := m.certificateOf(a)
	if cert != nil {
		m.ask(ctx, a, cert.Leaf)
		if time.Now().Before(m.renews(cert.Leaf)) {
			return
		}
	}
	o := m.order(a, cert)
	err := m.get(ctx, o)
	if ctx.Err() == nil {
		m.note(o, err)
	}
}

// order returns the next attempt. The CA is told which certificate it replaces
// where it has shown that it knows it, but not a second time after that failed:
// what a CA refuses about it would stand in the way for ever.
func (m *managed) order(a *authority, cert *tls.Certificate) *order {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := &order{authority: a, name: m.name}
	if cert != nil {
		o.present = cert.Leaf
		o.replaces = m.state.ari.HasWindow() && m.state.failing == 0
	}
	return o
}

// certificateOf returns the certificate where it is one of this CA.
func (m *managed) certificateOf(a *authority) *tls.Certificate {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.from != a.key() {
		return nil
	}
	return m.served.Load()
}

// get brings a certificate, and makes it the one that is served.
func (m *managed) get(ctx context.Context, o *order) error {
	key := o.authority.key()
	stored, err := m.keeper.load(ctx, key, m.name)
	var harmed *damaged
	switch {
	case errors.As(err, &harmed):
		if err := m.setAside(harmed); err != nil {
			return err
		}
	case err == nil && (o.present == nil || stored.Leaf.NotBefore.After(o.present.NotBefore)):
		m.publish(stored, o) // another has obtained it
		return nil
	}
	if err := o.get(ctx, err == nil); err != nil {
		return err
	}
	cert, err := m.keeper.load(ctx, key, m.name)
	if err != nil {
		return err
	}
	m.publish(cert, o)
	return nil
}

// setAside moves a file out of the way that no certificate can be made of.
func (m *managed) setAside(harmed *damaged) error {
	m.keeper.options.Log.Warn("a stored certificate is damaged: it is set aside, and another obtained", slog.String("file", harmed.path+".damaged"), slog.Any("error", harmed.err))
	return os.Rename(harmed.path, harmed.path+".damaged")
}

func (m *managed) publish(cert *tls.Certificate, o *order) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.served.Store(cert)
	m.from = o.authority.key()
	m.state.issued = time.Now()
	m.state.ari, m.state.ask = protocol.RenewalInfo{}, time.Time{}
	if o.ari != nil && o.ari.HasWindow() {
		m.state.take(*o.ari)
	}
}

// ask gets the CA's suggestion, where it is time to.
func (m *managed) ask(ctx context.Context, a *authority, leaf *x509.Certificate) {
	m.mu.Lock()
	wait := time.Now().Before(m.state.ask)
	m.mu.Unlock()
	if wait {
		return
	}
	ari, err := a.suggestion(ctx, leaf)
	if ctx.Err() != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.state.ask = time.Now().Add(askAgain(err))
		a.log.Debug("the CA suggests no time of renewal", "certificate", m.name, "error", err)
		return
	}
	if m.state.ari.HasWindow() && !m.state.ari.SameWindow(ari) {
		a.log.Info("the CA suggests another time of renewal", "certificate", m.name, "from", ari.SuggestedWindow.Start, "to", ari.SuggestedWindow.End, "why", ari.ExplanationURL)
	}
	m.state.take(ari)
}

// askAgain is how long to wait with the question after it failed.
func askAgain(err error) time.Duration {
	if errors.Is(err, protocol.ErrUnsupported) {
		return 24 * time.Hour
	}
	return time.Hour
}

// The bounds within which a CA's wish of when to be asked again is followed (RFC
// 9773 section 4.3.3).
const (
	soonest   = time.Minute
	usually   = 6 * time.Hour
	lastAsked = 24 * time.Hour
)

// take makes a suggestion the one that holds. The moment within its window stays
// as it was chosen, as long as the window does.
func (s *state) take(ari protocol.RenewalInfo) {
	if s.ari.HasWindow() && s.ari.SameWindow(ari) {
		ari.SelectedTime = s.ari.SelectedTime
	}
	s.ari = ari
	pause := usually
	if ari.RetryAfter != nil {
		pause = min(max(time.Until(*ari.RetryAfter), soonest), lastAsked)
	}
	s.ask = time.Now().Add(pause)
}

// renews is renewal for callers without the lock.
func (m *managed) renews(leaf *x509.Certificate) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.renewal(leaf)
}

// renewal is when a certificate is to be renewed, but not soon after it was
// obtained, whatever the CA suggests.
func (m *managed) renewal(leaf *x509.Certificate) time.Time {
	at := renewalOf(leaf, m.state.ari.SelectedTime)
	if m.state.issued.IsZero() {
		return at
	}
	rest := min(time.Hour, leaf.NotAfter.Sub(leaf.NotBefore)/10)
	if least := m.state.issued.Add(rest); at.Before(least) {
		return least
	}
	return at
}

// renewalOf is when a certificate is to be renewed: at the CA's suggestion, but
// with a sixth of its life left at least; without one, with a third.
func renewalOf(leaf *x509.Certificate, suggested time.Time) time.Time {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	if suggested.IsZero() {
		return leaf.NotBefore.Add(life * 2 / 3)
	}
	if last := leaf.NotBefore.Add(life * 5 / 6); suggested.After(last) {
		return last
	}
	return suggested
}

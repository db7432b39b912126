package acme

import (
	"crypto/x509"
	"time"

	"go.uber.org/zap"
)

// nop is a logger for certmagic, whose errors say all that it logs.
func nop() *zap.Logger { return zap.NewNop() }

// Status is how it stands with one name.
type Status struct {
	Name     string
	Leaf     *x509.Certificate // that is served; nil for none yet
	Renews   time.Time         // when it will be renewed; zero for none
	Again    time.Time         // when the next attempt is, after one that failed; else zero
	Failures uint64            // attempts that have failed since the name is demanded
	Problem  string            // why the last one failed; "" where it did not
}

// Each calls f for every name that is demanded.
func (k *Keeper) Each(f func(Status)) {
	for _, m := range *k.byName.Load() {
		f(m.status())
	}
}

func (m *managed) status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Status{Name: m.name, Again: m.state.next, Failures: m.state.failures, Problem: m.state.problem}
	if cert := m.served.Load(); cert != nil {
		s.Leaf, s.Renews = cert.Leaf, m.renewal(cert.Leaf)
	}
	return s
}

// issuerOf names who has signed a certificate.
func issuerOf(leaf *x509.Certificate) string {
	if name := leaf.Issuer.CommonName; name != "" {
		return name
	}
	return leaf.Issuer.String()
}

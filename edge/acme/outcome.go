package acme

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	protocol "github.com/mholt/acmez/v3/acme"
)

// How long a name is left alone after an attempt that failed: twice as long each
// time. CAs allow few failed attempts an hour.
const (
	firstPause = time.Minute
	lastPause  = 6 * time.Hour
	ratePause  = time.Hour // at least, where the CA says it was asked too often
)

// pause returns how long to wait after so many failures in a row. The pause is
// short beside the life of a certificate that is to be renewed; nothing is
// shorter than what the CA itself asked for.
func pause(failing int, err error, later, life time.Duration) time.Duration {
	d := lastPause
	if failing < 10 {
		d = min(firstPause<<(failing-1), lastPause)
	}
	if life > 0 {
		d = min(d, max(life/20, time.Second))
	}
	var problem protocol.Problem
	if errors.As(err, &problem) && problem.Type == protocol.ProblemTypeRateLimited && later == 0 {
		later = ratePause
	}
	d += rand.N(d/10 + 1) // not all names at once
	return max(d, later)
}

// note keeps what became of an attempt, and says it.
func (m *managed) note(o *order, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	cert, log := m.served.Load(), o.authority.log
	if err == nil {
		m.state.next, m.state.failing, m.state.problem = time.Time{}, 0, ""
		log.Info("certificate obtained", slog.String("certificate", m.name), slog.String("issuer", issuerOf(cert.Leaf)),
			slog.Time("expires", cert.Leaf.NotAfter), slog.Time("renews", m.renewal(cert.Leaf)))
		return
	}
	var life time.Duration
	serves := "the internal CA's"
	if cert != nil {
		life = cert.Leaf.NotAfter.Sub(cert.Leaf.NotBefore)
		serves = "the one that expires on " + cert.Leaf.NotAfter.Format(time.DateTime)
		if time.Now().After(cert.Leaf.NotAfter) {
			serves = "the one that expired on " + cert.Leaf.NotAfter.Format(time.DateTime)
		}
	}
	m.state.failing++
	m.state.failures++
	m.state.problem = explain(err)
	d := pause(m.state.failing, err, o.later, life)
	m.state.next = time.Now().Add(d)
	what := "certificate not obtained"
	if o.present != nil {
		what = "certificate not renewed"
	}
	log.Warn(what, slog.String("certificate", m.name), slog.String("error", m.state.problem), slog.String("cure", o.authority.cure(err)),
		slog.String("serves", serves), slog.Duration("again-in", d.Round(time.Second)))
}

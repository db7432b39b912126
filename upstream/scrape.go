package upstream

import (
	"cmp"
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"time"

	"gatehouse/config"
	"gatehouse/upstream/target"
)

// Scrape is the metrics section of a service: what the gateway fetches of each of its
// targets and keeps. This package does not do it.
type Scrape struct {
	config.At
	Path     string          `yaml:"path" default:"/metrics" doc:"where a target shows its metrics, in Prometheus' text format or OpenMetrics"`
	Interval config.Duration `yaml:"interval" default:"30s" range:"1s..1h" doc:"time between two fetches of a target"`
}

// Check implements config.Checker.
func (s Scrape) Check(r *config.Report) {
	if s.Path != "" && !strings.HasPrefix(s.Path, "/") {
		r.Errorf(s.Of("path"), "%q is no path: it begins with /", s.Path)
	}
}

// Filled returns s with its defaults.
func (s Scrape) Filled() Scrape {
	s.Path = cmp.Or(s.Path, "/metrics")
	fallback(&s.Interval, 30*time.Second)
	return s
}

// ClientTLS returns how a client speaks TLS to the service's targets beside what
// requests go by: HTTP/1.1, with the trust and the certificate of the tls section; nil for
// a service without. Targets that have no name are held to the first name that the
// section or a target says.
func (c Config) ClientTLS(internal func() (*tls.Certificate, error)) (*tls.Config, error) {
	id, err := newIdentity(c.TLS, target.HTTP1, internal)
	if err != nil || id.Config == nil {
		return nil, err
	}
	id.Config.ServerName = id.Name
	for _, t := range c.Targets {
		host, _, err := net.SplitHostPort(t.Address)
		if _, numeric := netip.ParseAddr(host); err == nil && numeric != nil && id.Config.ServerName == "" {
			id.Config.ServerName = host
		}
	}
	return id.Config, nil
}

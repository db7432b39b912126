package gatehouse

import (
	"encoding/hex"
	"fmt"
	"log/slog"

	"gatehouse/api"
	"gatehouse/config"
	"gatehouse/dial"
	"gatehouse/observe/ingest"
	"gatehouse/observe/scrape"
	"gatehouse/upstream"
)

// scrapes are the services of a configuration whose metrics are fetched.
func (g *Gateway) scrapes(cfg *Config) (out []scrape.Job) {
	for _, name := range names(cfg.Services) {
		c := cfg.Services[name]
		if c.Metrics == nil {
			continue
		}
		job, err := g.keepers.scrape(cfg, name, c)
		if err != nil { // it has passed the check: only the internal authority can fail
			g.log.Error("the metrics of a service cannot be fetched", slog.String("service", name), slog.Any("error", err))
			continue
		}
		out = append(out, job)
	}
	return out
}

func (k *keepers) scrape(cfg *Config, name string, c *upstream.Config) (scrape.Job, error) {
	tls, err := c.ClientTLS(k.clientCertificate)
	if err != nil {
		return scrape.Job{}, err
	}
	s := c.Metrics.Filled()
	digest := config.Digest(struct {
		Service string
		Config  *upstream.Config
		Series  int
	}{name, c, cfg.Metrics.Push.Series})
	job := scrape.Job{
		Key: hex.EncodeToString(digest[:]), Service: name, Scheme: "http", Path: s.Path, Interval: s.Interval.D(), Limit: cfg.Metrics.Push.Series,
		Client:  k.dialer.HTTPClient(dial.ClientOptions{Timeout: min(s.Interval.D(), dial.DefaultClientTimeout), Limit: ingest.MaxBytes, Plain: tls == nil, TLS: tls}),
		Targets: func() []string { return k.targetsOf(name) },
	}
	if tls != nil {
		job.Scheme = "https"
	}
	if c.Host != "target" && c.Host != "preserve" {
		job.Host = c.Host
	}
	return job, nil
}

// scraped leases the services whose metrics are fetched, whether a route leads to them
// or not.
func (b *binder) scraped() error {
	for _, name := range names(b.draft.config.Services) {
		c := b.draft.config.Services[name]
		if c.Metrics == nil {
			continue
		}
		if _, err := b.service(api.Destination{Kind: api.Service, Name: name, At: c.Pos}); err != nil {
			return fmt.Errorf("%s: %w", c.Pos, err)
		}
	}
	return nil
}

// targetsOf are the addresses of a service's targets, healthy or not.
func (k *keepers) targetsOf(service string) (out []string) {
	k.upstreams.Each(func(s upstream.Stats) {
		if s.Service == service {
			out = append(out, s.Target)
		}
	})
	return out
}

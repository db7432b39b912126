package gatehouse

import (
	"net/http"
	"slices"
	"strings"

	"gatehouse/config"
	"gatehouse/edge"
	"gatehouse/edge/acme"
	"gatehouse/exchange"
	"gatehouse/throttle"
)

// owned are paths that a room answers by itself, in front of every API and of
// the redirect to https: those below which CAs ask for challenges by http-01,
// over plain HTTP and for names that are to be proven.
type owned struct {
	below    []string // segments; one more follows
	hosts    map[string]bool
	endpoint *endpoint
}

// takes reports whether a request, whose path is read, is for these paths.
func (o *owned) takes(x *exchange.Exchange) bool {
	if o == nil || x.Conn.TLS {
		return false
	}
	n := len(o.below)
	return x.Path.Oddities == 0 && len(x.Path.Segments) == n+1 && slices.Equal(x.Path.Segments[:n], o.below) && o.hosts[x.Host]
}

// challengeRoute is the route of challenges, in logs and metrics.
const challengeRoute = "GET " + acme.Path + "{token}"

// own gives the paths of challenges their chain; nil where none are answered.
func own(cfg *Config, demand acme.Demand, handler func(*exchange.Rule) http.Handler, l *leases) *owned {
	if !demand.Solves(acme.HTTP01) {
		return nil
	}
	rule := &exchange.Rule{Filter: "acme", Name: acme.HTTP01, At: cfg.ACME.Pos}
	e := &endpoint{
		name: challengeRoute, at: cfg.ACME.Pos, timeout: defaultTimeout, rule: rule,
		throttle: throttle.PerCaller([]throttle.Level{{Name: "gateway", Scope: "gateway", Throttles: cfg.Throttle}}),
	}
	e.counts = l.observe.Route("", "", challengeRoute)
	e.path(parts{target: handler(rule)}, l)
	o := &owned{below: strings.Split(strings.Trim(acme.Path, "/"), "/"), hosts: make(map[string]bool), endpoint: e}
	for _, name := range demand.Names {
		o.hosts[name] = true
	}
	return o
}

// checkOwned reports routes that would never be asked, since a room owns their
// path.
func (d *draft) checkOwned(demand acme.Demand, report *config.Report) {
	if demand.Broken || !demand.Solves(acme.HTTP01) {
		return
	}
	for _, e := range d.endpoints {
		ours := len(e.hosts) == 0 || slices.ContainsFunc(e.hosts, func(host string) bool { return slices.Contains(demand.Names, host) })
		if e.name != "" && ours && strings.HasPrefix(string(e.prefix)+e.shape, acme.Path) {
			report.Errorf(e.at, "the paths below %s are the gateway's own, since it answers CAs there by http-01: remove this route, or http-01 from acme.challenges", acme.Path)
		}
	}
}

// demand is what the configuration asks of ACME.
func (cfg *Config) demand(policies edge.Policies) acme.Demand {
	d := acme.Demand{Config: cfg.ACME, Plain: policies.Plain()}
	d.Names, d.At = policies.Obtained()
	for _, key := range []string{"acme", "apis", "listen", "include"} {
		d.Broken = d.Broken || cfg.Broken(key)
	}
	return d
}

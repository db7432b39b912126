package gatehouse

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"gatehouse/config"
	"gatehouse/dial/dns"
	"gatehouse/exchange"
	"gatehouse/limit"
	"gatehouse/throttle"
	"gatehouse/waf/challenge"
	"gatehouse/waf/crawler"
	"gatehouse/waf/geo"
)

// countries are the data by which countries are known, made ready once somebody
// asks.
type countries struct{ data func() *geo.DB }

func (c countries) Place(a netip.Addr) geo.Place { return c.data().Place(a) }

func (cfg *Config) countries() countries { return countries{sync.OnceValue(cfg.Geo.DB)} }

// crawlers returns what tells crawlers from their impostors for a configuration.
func (k *keepers) crawlers(c *crawler.Config) *crawler.Checker {
	o := dns.Options{Dialer: k.dialer}
	for _, s := range c.Resolver {
		o.Servers = append(o.Servers, s.AddrPort)
	}
	return k.bots.Checker(c.Kinds(), crawler.DNS(dns.New(o)))
}

// gates are the challenges of a configuration's web ACLs, by their names.
type gates map[string]*challenge.Gate

// Cleared implements waf.Challenger.
func (g gates) Cleared(x *exchange.Exchange, r *http.Request, acl string) bool {
	return g[acl].Cleared(x, r)
}

// Challenge implements waf.Challenger.
func (g gates) Challenge(w http.ResponseWriter, r *http.Request, acl string, rule *exchange.Rule) {
	g[acl].Challenge(w, r, rule)
}

// guard gives the lease what web ACLs ask while they serve.
func (k *keepers) guard(cfg *Config, l *leases) (err error) {
	if len(cfg.acls) == 0 {
		return nil
	}
	l.checker = k.crawlers(&cfg.Crawlers)
	l.gates, err = k.gates(cfg)
	return err
}

// gates makes those of the web ACLs that challenge.
func (k *keepers) gates(cfg *Config) (gates, error) {
	out := make(gates)
	for name, acl := range cfg.acls {
		if !acl.Challenges() {
			continue
		}
		g, err := k.provers.Gate(name, cfg.WAF[name].Challenges())
		if err != nil {
			return nil, fmt.Errorf("%s: the key of clearances: %w", cfg.WAF[name].Pos, err)
		}
		out[name] = g
	}
	return out, nil
}

// challengeRoutes is the route of the gateway's own paths for challenges, in logs and
// metrics.
const challengeRoutes = "ANY " + challenge.AnswerPath

// challengeThrottle is how often one address may ask there: a person's page asks
// twice, and many share an address.
func challengeThrottle() throttle.Level {
	return throttle.Level{Name: "challenge", Scope: "gateway challenge", Throttles: []throttle.Config{{Rate: limit.PerSecond(2), Burst: 60, Per: throttle.IP}}}
}

// challenged gives the paths of challenges their chain; nil where nobody challenges.
func challenged(cfg *Config, k *keepers, l *leases) *endpoint {
	if len(l.gates) == 0 {
		return nil
	}
	rule := &exchange.Rule{Filter: "waf", Name: "challenge"}
	e := &endpoint{
		name: challengeRoutes, timeout: defaultTimeout, rule: rule,
		throttle: throttle.PerCaller([]throttle.Level{{Name: "gateway", Scope: "gateway", Throttles: cfg.Throttle}, challengeThrottle()}),
	}
	e.counts = l.observe.Route("", "", challengeRoutes)
	e.path(parts{target: k.provers.Handler(l.gates, rule)}, l)
	return e
}

// isChallenge reports whether a request is for the paths of challenges.
func isChallenge(x *exchange.Exchange) bool {
	return len(x.Path.Segments) == 2 && x.Path.Segments[0] == challengeFolder && x.Path.Oddities == 0
}

// challengeFolder is the first segment of these paths.
const challengeFolder = ".gatehouse"

// checkChallenges reports routes that would never be asked, since challenges own
// their path.
func (d *draft) checkChallenges(report *config.Report) {
	any := false
	for _, acl := range d.config.acls {
		any = any || acl.Challenges()
	}
	for _, e := range d.endpoints {
		if any && e.name != "" && strings.HasPrefix(string(e.prefix)+e.shape, "/"+challengeFolder+"/") {
			report.Errorf(e.at, "the paths below /%s/ are the gateway's own, since a web ACL challenges: remove this route", challengeFolder)
		}
	}
}

package gatehouse

import (
	"gatehouse/config"
	"gatehouse/waf"
)

// compileACLs compiles every web ACL, once for a configuration.
func (cfg *Config) compileACLs(report *config.Report) {
	if cfg.acls != nil {
		return
	}
	cfg.acls = make(map[string]*waf.ACL, len(cfg.WAF))
	options := waf.Options{Account: cfg.Account, Groups: cfg.Groups, Countries: cfg.countries(), Counted: true, Challenge: true}
	for _, name := range names(cfg.WAF) {
		if c := cfg.WAF[name]; c != nil {
			cfg.acls[name] = waf.Compile(c, options, report)
		}
	}
}

// acl returns the name of the web ACL; "" for none.
func (p *Policies) acl() string {
	if p.WAF == nil {
		return ""
	}
	return p.WAF.Name
}

// checkACL reports a reference to an ACL that there is not, once.
func (d *draft) checkACL(ref *waf.Reference, report *config.Report) {
	if ref == nil || ref.Name == "" || d.config.WAF[ref.Name] != nil || d.unknown[ref.Pos] {
		return
	}
	d.unknown[ref.Pos] = true
	if !d.config.Broken("waf") || len(d.config.WAF) > 0 {
		report.Unknown(ref.Pos, "web ACL", ref.Name, names(d.config.WAF))
	}
}

// aclConfig is what counts for the web ACL of a route.
func (e *endpoint) aclConfig(cfg *Config) any {
	if e.acl == nil {
		return nil
	}
	return []any{cfg.WAF[e.acl.Name()], cfg.Groups, cfg.Account, cfg.Geo, cfg.Crawlers}
}

// firewall is what outlives the filters that hold requests against web ACLs.
func (l *leases) firewall() waf.Keepers {
	return waf.Keepers{Counts: l.acls, Challenge: l.gates, Crawlers: l.checker}
}

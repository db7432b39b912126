package gatehouse

import (
	"crypto/sha256"
	"fmt"

	"gatehouse/config"
	"gatehouse/observe/accesslog"
	"gatehouse/waf"
)

// compileACLs compiles every web ACL, once for a configuration.
func (cfg *Config) compileACLs(report *config.Report) {
	if cfg.acls != nil {
		return
	}
	cfg.acls = make(map[string]*waf.ACL, len(cfg.WAF))
	cfg.aclSums = make(map[string][sha256.Size]byte, len(cfg.WAF))
	if len(cfg.WAF) == 0 {
		return
	}
	around := config.Digest([]any{cfg.Account, cfg.Geo, cfg.Crawlers})
	o := waf.Options{Account: cfg.Account, Region: cfg.Region, Groups: cfg.Groups, Countries: cfg.countries(), Counted: true, Challenge: true}
	for _, name := range names(cfg.WAF) {
		if c := cfg.WAF[name]; c != nil {
			a := waf.Compile(c, o, report)
			cfg.acls[name], o.Sets = a, append(o.Sets, a.Sets()...)
			cfg.aclSums[name] = cfg.aclSum(c, around)
		}
	}
}

// aclSum tells web ACLs apart that mean something else. It is taken once, not for
// every route that has the ACL.
func (cfg *Config) aclSum(c *waf.Config, around [sha256.Size]byte) [sha256.Size]byte {
	parts := []any{c, around}
	for _, name := range c.RuleGroups() {
		parts = append(parts, cfg.Groups[name])
	}
	return config.Digest(parts)
}

// adoptRules has the web ACLs share what was compiled of equal content for those
// of the configuration in force.
func (cfg *Config) adoptRules(running *Config) {
	for _, a := range cfg.acls {
		for _, last := range running.acls {
			a.Adopt(last)
		}
	}
}

// readsOrder reports whether a web ACL asks for the order of headers.
func (cfg *Config) readsOrder() bool {
	for _, a := range cfg.acls {
		if a.ReadsOrder() {
			return true
		}
	}
	return false
}

// readsHandshakes reports whether a web ACL asks for fingerprints of TLS handshakes.
func (cfg *Config) readsHandshakes() bool {
	for _, a := range cfg.acls {
		if a.ReadsHandshake() {
			return true
		}
	}
	return false
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
	return cfg.aclSums[e.acl.Name()]
}

// firewall is what outlives the filter that holds requests against a web ACL.
func (l *leases) firewall(a *waf.ACL) waf.Keepers {
	k := waf.Keepers{Counts: l.acls, Challenge: l.gates, Crawlers: l.checker}
	if file := l.aclLogs[a.LogFile()]; file != nil {
		k.Log = file
	}
	return k
}

// openACLLogs opens the logs of the web ACLs that some route has.
func (l *leases) openACLLogs(endpoints []*endpoint) error {
	l.aclLogs = make(map[string]*accesslog.File)
	for _, e := range endpoints {
		path := e.acl.LogFile()
		if path == "" || l.aclLogs[path] != nil {
			continue
		}
		file, err := l.observe.File(path)
		if err != nil {
			return fmt.Errorf("the log of the web ACL %s: %w", e.acl.Name(), err)
		}
		l.aclLogs[path] = file
	}
	return nil
}

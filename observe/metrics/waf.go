package metrics

import "github.com/prometheus/client_golang/prometheus"

// WebACLStats is what one rule of a web ACL has done to requests in one way.
type WebACLStats struct {
	ACL, Rule string
	Action    string
	Requests  uint64
}

// WebACLFault is requests that a web ACL could not inspect, for one reason.
type WebACLFault struct {
	ACL, Reason string
	Requests    uint64
}

func (s Sources) webACLs() prometheus.Collector {
	type T = WebACLStats
	return newFamily(s.WebACLs, "waf", []string{"acl", "rule", "action"},
		func(w *T) []string { return []string{w.ACL, w.Rule, w.Action} },
		column[T]{"requests_total", "Requests that a rule of a web ACL matched, by what it did.", counts, func(w *T) float64 { return float64(w.Requests) }},
	)
}

func (s Sources) webACLFaults() prometheus.Collector {
	type T = WebACLFault
	return newFamily(s.WebACLFaults, "waf", []string{"acl", "reason"},
		func(w *T) []string { return []string{w.ACL, w.Reason} },
		column[T]{"uninspected_total", "Requests that a web ACL could not inspect whole.", counts, func(w *T) float64 { return float64(w.Requests) }},
	)
}

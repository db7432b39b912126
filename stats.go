package gatehouse

import (
	"net"
	"time"

	"gatehouse/edge"
	"gatehouse/mirror"
	"gatehouse/observe/metrics"
	"gatehouse/upstream"
	"gatehouse/waf"
)

// sources are what the keepers tell the metrics.
func (k *keepers) sources(g *Gateway) metrics.Sources {
	return metrics.Sources{
		Upstreams: k.upstreamStats,
		Services:  k.serviceStats,
		Breakers:  k.breakerStats,
		Queues:    k.queueStats,
		Names:     k.nameStats,
		Listeners: k.listenerStats,
		Keys:      k.keyStats,
		Throttles: k.throttleStats,
		Bodies:    k.bodyStats,
		Codings:   k.codingStats,
		Encoders:  k.encoderStats,
		Tunnels:   k.tunnelStats,

		Certificates: g.certificateStats,
		Mirrors:      k.mirrorStats,
		State:        k.stateStats,
		Secrets:      k.secretStats,
		WebACLs:      k.aclStats,
		WebACLFaults: k.aclFaults,
	}
}

func (k *keepers) upstreamStats() []metrics.UpstreamStats {
	var out []metrics.UpstreamStats
	k.upstreams.Each(func(s upstream.Stats) {
		out = append(out, metrics.UpstreamStats{
			Service: s.Service, Target: s.Target, Healthy: s.Healthy, Ejected: s.Ejected, Ejections: s.Ejections, Share: s.Share, InFlight: s.InFlight, Requests: s.Requests,
			ConnectFailures: s.ConnectFailures, ConnectionsOpen: s.Open, ConnectionsIdle: int64(s.Idle),
		})
	})
	return out
}

func (k *keepers) listenerStats() []metrics.ListenerStats {
	var out []metrics.ListenerStats
	k.listeners.Each(func(key string, _ net.Addr, c *edge.Counters) {
		out = append(out, metrics.ListenerStats{
			Listener: key, Open: c.Active.Load(), Accepted: uint64(c.Accepted.Load()),
			Refused:         uint64(c.RefusedLimit.Load() + c.RefusedAddress.Load() + c.ProxyErrors.Load()),
			HandshakeErrors: uint64(c.HandshakeErrors.Load()),
			Malformed:       uint64(c.BadRequests.Load() + c.LargeHeaders.Load() + c.SlowHeaders.Load() + c.CutRequests.Load() + c.HTTP2Errors.Load()),
		})
	})
	return out
}

func (k *keepers) keyStats() []metrics.KeySetStats {
	var out []metrics.KeySetStats
	for _, s := range k.keys.Keys() {
		stats := metrics.KeySetStats{Source: s.URL, Keys: int64(s.Keys), Failures: uint64(s.Failures)}
		if s.Age > 0 {
			stats.LastSuccess = time.Now().Add(-s.Age)
		}
		out = append(out, stats)
	}
	return out
}

func (k *keepers) throttleStats() []metrics.ThrottleStats {
	addresses, names := k.limits.Usage()
	slow := k.limits.SlowUsage()
	from, others := k.acls.Rates()
	return []metrics.ThrottleStats{
		{Scope: "address", Keys: int64(addresses.Buckets), Capacity: int64(addresses.Capacity), Overflow: addresses.Shared},
		{Scope: "address-slow", Keys: int64(slow.Buckets), Capacity: int64(slow.Capacity), Overflow: slow.Shared},
		{Scope: "name", Keys: int64(names.Buckets), Capacity: int64(names.Capacity), Overflow: names.Shared},
		{Scope: "waf-address", Keys: int64(from.Keys), Capacity: int64(from.Capacity), Overflow: from.Shared},
		{Scope: "waf-other", Keys: int64(others.Keys), Capacity: int64(others.Capacity), Overflow: others.Shared},
	}
}

func (k *keepers) mirrorStats() []metrics.MirrorStats {
	var out []metrics.MirrorStats
	k.mirrors.Each(func(s mirror.Stats) {
		stats := metrics.MirrorStats{Target: s.Target, Waiting: s.Waiting, Sending: s.Sending, Copies: make(map[string]uint64)}
		for _, r := range s.Results {
			stats.Copies[r.Outcome] = r.Copies
		}
		out = append(out, stats)
	})
	return out
}

func (k *keepers) bodyStats() metrics.BodyStats {
	return metrics.BodyStats{Used: k.bodies.Used(), Limit: k.bodies.Limit()}
}

func (k *keepers) codingStats() []metrics.CodingStats {
	var out []metrics.CodingStats
	for _, c := range k.encoders.Counts() {
		out = append(out, metrics.CodingStats{Coding: c.Coding, Answers: c.Answers, Plain: c.Plain, Coded: c.Coded})
	}
	return out
}

func (k *keepers) encoderStats() metrics.EncoderStats {
	u := k.encoders.Usage()
	return metrics.EncoderStats{Used: u.Used, Limit: u.Limit, Refused: u.Refused}
}

func (k *keepers) tunnelStats() metrics.TunnelStats {
	s := k.tunnels.Stats()
	out := metrics.TunnelStats{Open: int64(s.Open), Opened: s.Opened, In: s.In, Out: s.Out}
	for end, n := range s.Ends {
		out.Ends = append(out.Ends, metrics.TunnelEnd{Why: string(end), Number: n})
	}
	return out
}

func (k *keepers) aclStats() []metrics.WebACLStats {
	var out []metrics.WebACLStats
	k.acls.Each(func(s waf.Stats) { out = append(out, metrics.WebACLStats(s)) })
	return out
}

func (k *keepers) aclFaults() []metrics.WebACLFault {
	var out []metrics.WebACLFault
	k.acls.EachFailure(func(f waf.Failure) { out = append(out, metrics.WebACLFault(f)) })
	return out
}

package metrics

import "github.com/prometheus/client_golang/prometheus"

func (s Sources) tunnels() prometheus.Collector {
	if s.Tunnels == nil {
		return nil
	}
	type T = TunnelStats
	return newFamily(func() []T { return []T{s.Tunnels()} }, "tunnels", nil,
		func(*T) []string { return nil },
		column[T]{"open", "Tunnels, such as WebSockets, that are open.", current, func(t *T) float64 { return float64(t.Open) }},
		column[T]{"opened_total", "Tunnels that were opened.", counts, func(t *T) float64 { return float64(t.Opened) }},
		column[T]{"received_bytes_total", "Bytes from clients through tunnels, open ones too.", counts, func(t *T) float64 { return float64(t.In) }},
		column[T]{"sent_bytes_total", "Bytes to clients through tunnels, open ones too.", counts, func(t *T) float64 { return float64(t.Out) }},
	)
}

func (s Sources) tunnelEnds() prometheus.Collector {
	if s.Tunnels == nil {
		return nil
	}
	type T = TunnelEnd
	return newFamily(func() []T { return s.Tunnels().Ends }, "tunnels", []string{"why"},
		func(t *T) []string { return []string{t.Why} },
		column[T]{"ended_total", "Tunnels that have ended, and by whom or what.", counts, func(t *T) float64 { return float64(t.Number) }},
	)
}

package limit

import (
	"fmt"
	"net/netip"
	"testing"
)

func BenchmarkTake(b *testing.B) {
	l := newLimit(1e6, MaxBurst, Options{})
	address, name := netip.MustParseAddr("2001:db8::1"), "jwt:https://login.shop.test|ann@shop.test"
	for _, bc := range []struct {
		name string
		take func() Result
	}{
		{"all", func() Result { return l.Take(l.All()) }},
		{"address", func() Result { return l.Take(l.Address(address)) }},
		{"name", func() Result { return l.Take(l.Name(name)) }},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !bc.take().OK {
					b.Fatal("refused")
				}
			}
		})
		b.Run(bc.name+"-parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					bc.take()
				}
			})
		})
	}
}

// A table full of callers that are not idle, and newcomers who find no place.
func BenchmarkTakeFull(b *testing.B) {
	l := newLimit(0.001, 2, Options{Names: 1 << 16})
	for i := range 1 << 17 {
		l.Take(l.Name(fmt.Sprint(i)))
	}
	names := make([]string, 1<<12)
	for i := range names {
		names[i] = fmt.Sprint("newcomer", i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		l.Take(l.Name(names[i%len(names)]))
		i++
	}
}

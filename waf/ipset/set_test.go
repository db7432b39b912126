package ipset

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

func build(t testing.TB, entries ...string) *Set {
	t.Helper()
	var b Builder
	for _, e := range entries {
		if err := b.add(e); err != nil {
			t.Fatal(err)
		}
	}
	return b.Build()
}

func TestContains(t *testing.T) {
	s := build(t,
		"192.0.2.0/25", "192.0.2.128/25", "192.0.2.17", "198.51.100.1-198.51.100.9", "198.51.100.5-198.51.100.20", "255.255.255.255", "0.0.0.0",
		"2001:db8::/32", "2001:db8:1::/48", "2001:dba::1", "2001:dba::3-2001:dba:0:1::4", "2001:dbb::5-2001:dbb:0:9::", "::ffff:203.0.113.0/120", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::1",
	)
	for text, want := range map[string]bool{
		"192.0.1.255": false, "192.0.2.0": true, "192.0.2.200": true, "192.0.2.255": true, "192.0.3.0": false,
		"198.51.100.0": false, "198.51.100.1": true, "198.51.100.20": true, "198.51.100.21": false,
		"255.255.255.255": true, "255.255.255.254": false, "0.0.0.0": true, "0.0.0.1": false,
		"::ffff:192.0.2.1": true, "::ffff:192.0.3.1": false, "203.0.113.7": true, "::ffff:203.0.113.7": true, "203.0.114.7": false,
		"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff": false, "2001:db8::": true, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff": true, "2001:db9::": false,
		"2001:dba::": false, "2001:dba::1": true, "2001:dba::2": false, "2001:dba::3": true, "2001:dba::ffff:0:0:0": true, "2001:dba:0:1::": true, "2001:dba:0:1::4": true, "2001:dba:0:1::5": false,
		"2001:dbb::4": false, "2001:dbb::5": true, "2001:dbb:0:5::9": true, "2001:dbb:0:8:ffff:ffff:ffff:ffff": true, "2001:dbb:0:9::": true, "2001:dbb:0:9::1": false,
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": true, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe": false, "::1": true, "::": false, "2001:db8::1%eth0": true,
	} {
		if got := s.Contains(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if s.Contains(netip.Addr{}) || (&Set{}).Contains(netip.MustParseAddr("::1")) || (&Set{}).Contains(netip.MustParseAddr("1.2.3.4")) {
		t.Error("no address is in no set, and the empty set has none")
	}
}

func TestEverything(t *testing.T) {
	s := build(t, "0.0.0.0/0", "::/0", "10.0.0.0/8", "2001:db8::1", "fe80::/10")
	if s.Len() != 2 {
		t.Errorf("%d ranges", s.Len())
	}
	for _, a := range []string{"0.0.0.0", "10.1.1.1", "255.255.255.255", "::", "fe80::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"} {
		if !s.Contains(netip.MustParseAddr(a)) {
			t.Error(a)
		}
	}
}

// A set says of every address what the ranges that it was made of say, one by one:
// of random ranges, at their ends and beside them.
func TestAgainstLinear(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		var b Builder
		var ranges []Range
		for range 1 + r.IntN(400) {
			ranges = append(ranges, randomRange(r))
		}
		for _, one := range ranges {
			b.Add(one)
		}
		s := b.Build()
		for _, one := range ranges {
			for _, a := range []netip.Addr{one.From, one.To, one.From.Prev(), one.To.Next(), randomRange(r).From} {
				want := false
				for _, o := range ranges {
					want = want || a.IsValid() && a.Is4() == o.From.Is4() && !a.Less(o.From) && !o.To.Less(a)
				}
				if s.Contains(a) != want {
					t.Fatalf("round %d, %v: want %v, of %v", round, a, want, ranges)
				}
			}
		}
	}
}

// randomRange returns a range out of a small part of the addresses, so that many
// overlap and touch.
func randomRange(r *rand.Rand) Range {
	if r.IntN(2) == 0 {
		from := r.Uint32N(1 << 18)
		to := from + r.Uint32N(1<<uint(1+r.IntN(10)))
		return Range{addr4(from), addr4(to)}
	}
	shift := uint(r.IntN(3) * 32)
	from := wide{0x20010db800000000 + r.Uint64N(4), r.Uint64N(8) << shift}
	to := wide{from.block + r.Uint64N(3), r.Uint64N(8) << shift}
	if r.IntN(3) == 0 {
		from.last, to.last = 0, 1<<64-1
	}
	if to.compare(from) < 0 {
		from, to = to, from
	}
	return Range{addr6(from), addr6(to)}
}

func addr4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

func addr6(w wide) netip.Addr {
	return netip.AddrFrom16([16]byte(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, w.block), w.last)))
}

// A million single addresses of IPv6, which lie in few /64.
func TestMillionHosts(t *testing.T) {
	if testing.Short() {
		t.Skip("a million ranges")
	}
	var b Builder
	at := func(i int) wide { return wide{0x20010db800000000 + uint64(i>>18), uint64(i&(1<<18-1)) * 3} }
	for i := range 1_000_000 {
		b.Add(Range{addr6(at(i)), addr6(at(i))})
	}
	s := b.Build()
	if each := s.Bytes() / s.Len(); s.Len() != 1_000_000 || each > 25 {
		t.Errorf("%d ranges, %d bytes each", s.Len(), each)
	}
	for i := 0; i < 1_000_000; i += 997 {
		a := addr6(at(i))
		if !s.Contains(a) || s.Contains(a.Next()) || s.Contains(a.Next().Next()) {
			t.Fatal(a)
		}
	}
}

// million returns a set of about a million ranges that neither touch nor overlap,
// with addresses in and out of it.
func million(t testing.TB, v6 bool) (*Set, []netip.Addr) {
	r := rand.New(rand.NewPCG(3, 4))
	var b Builder
	var ask []netip.Addr
	for i := range 1_000_000 {
		var one Range
		if v6 {
			from := wide{0x2000000000000000 + uint64(i)<<40 + r.Uint64N(1<<39), 0}
			one = Range{addr6(from), addr6(wide{from.block, 1<<64 - 1})}
		} else {
			from := uint32(i)<<12 + r.Uint32N(1<<11)
			one = Range{addr4(from), addr4(from + r.Uint32N(256))}
		}
		b.Add(one)
		if r.IntN(50) == 0 {
			ask = append(ask, one.From, one.To.Next())
		}
	}
	r.Shuffle(len(ask), func(i, j int) { ask[i], ask[j] = ask[j], ask[i] })
	s := b.Build()
	if s.Len() != 1_000_000 {
		t.Fatalf("%d ranges", s.Len())
	}
	return s, ask
}

// A million ranges take 8 bytes each for IPv4 and 16 for IPv6, and looking one up
// costs no allocation.
func TestMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("two million ranges")
	}
	for _, c := range []struct {
		v6   bool
		most int
	}{{false, 9}, {true, 17}} {
		s, ask := million(t, c.v6)
		if each := s.Bytes() / s.Len(); each > c.most {
			t.Errorf("%d bytes a range", each)
		}
		in := 0
		if n := testing.AllocsPerRun(10, func() {
			in = 0
			for _, a := range ask {
				if s.Contains(a) {
					in++
				}
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
		if in != len(ask)/2 {
			t.Errorf("%d of %d are in it", in, len(ask))
		}
	}
}

func BenchmarkContains(b *testing.B) {
	for _, v6 := range []bool{false, true} {
		b.Run(fmt.Sprintf("million/v6=%v", v6), func(b *testing.B) {
			s, ask := million(b, v6)
			b.ReportMetric(float64(s.Bytes())/float64(s.Len()), "bytes/range")
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				s.Contains(ask[i%len(ask)])
				i++
			}
		})
	}
	b.Run("office", func(b *testing.B) {
		s, a := build(b, "192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"), netip.MustParseAddr("198.51.100.7")
		b.ReportAllocs()
		for b.Loop() {
			s.Contains(a)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	var text strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&text, "%v/32\n", addr4(uint32(i)<<12))
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		var builder Builder
		if faults := builder.Read(strings.NewReader(text.String())); len(faults) > 0 {
			b.Fatal(faults)
		}
		builder.Build()
	}
}

package forwarded

import (
	"net/netip"
	"testing"
)

type inside struct{ netip.Prefix }

func (i inside) Trusts(a netip.Addr) bool { return i.Contains(a) }

func ten() Trust { return inside{netip.MustParsePrefix("10.0.0.0/8")} }

func TestReadForwarded(t *testing.T) {
	tests := map[string]struct {
		client string // "" for none
		last   Element
	}{
		`for=192.0.2.1`:                              {"192.0.2.1", Element{Node: "192.0.2.1"}},
		`For="[2001:db8::1]:80";PROTO=https`:         {"2001:db8::1", Element{Node: "[2001:db8::1]:80", Proto: "https"}},
		`for=192.0.2.1 ; host="a\"b" , for=10.0.0.1`: {"192.0.2.1", Element{Node: "10.0.0.1"}},
		`for=192.0.2.1;by=10.0.0.2;host=shop.test`:   {"192.0.2.1", Element{Node: "192.0.2.1", Host: "shop.test"}},
		`for=unknown, for=10.0.0.1`:                  {"10.0.0.1", Element{Node: "10.0.0.1"}},
		`for=_secret`:                                {"", Element{Node: "_secret"}},
		`proto=https`:                                {"", Element{Proto: "https"}},
		`for=192.0.2.1,`:                             {"192.0.2.1", Element{Node: "192.0.2.1"}},
		`for=192.0.2.1;`:                             {"", Element{}},
		`for="192.0.2.1`:                             {"", Element{}},
		`for="192.0.2.1\`:                            {"", Element{}},
		`for=192.0.2.1 proto=https`:                  {"", Element{}},
		`for=19"2.0.2.1`:                             {"", Element{}},
		`192.0.2.1`:                                  {"", Element{}},
		``:                                           {"", Element{}},
		`,`:                                          {"", Element{}},
		`for="192.0.2.1, for=10.0.0.1"`:              {"", Element{Node: "192.0.2.1, for=10.0.0.1"}},
		`for=1.1.1.1;host="x, for=10.9.9.9", for="::"`: {"::", Element{Node: "::"}},
	}
	for text, want := range tests {
		var c Chain
		last := c.ReadForwarded([]string{text}, ten())
		client, ok := c.Client()
		if got := client.String(); ok != (want.client != "") || ok && got != want.client || last != want.last {
			t.Errorf("%s: %v %s %+v", text, ok, got, last)
		}
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add(`for="[2001:db8::1]:80";proto=https, for=10.0.0.1`, "1.2.3.4, 10.0.0.1")
	f.Add(`for="a\"b`, "[::1]:80,,")
	f.Fuzz(func(t *testing.T, forwarded, list string) {
		var a, b Chain
		a.ReadForwarded([]string{forwarded, forwarded}, ten())
		b.ReadList([]string{list, list}, ten())
		for _, c := range []*Chain{&a, &b} {
			for i, addr := range c.addrs[:c.n] {
				if !addr.IsValid() || addr.Is4In6() || addr.Zone() != "" {
					t.Errorf("%v", addr)
				}
				if i < c.n-1 && !ten().Trusts(addr) {
					t.Errorf("went on behind %v", addr)
				}
			}
			var again Chain
			again.ReadList([]string{c.Text(netip.MustParseAddr("10.1.1.1"))}, ten())
			if got, ok := again.Client(); c.n > 0 && c.n < MaxHops && (!ok || got != c.addrs[c.n-1]) {
				t.Errorf("%v became %v", c.addrs[:c.n], got)
			}
		}
	})
}

package addresses

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/config"
	"gatehouse/exchange"
)

type section struct {
	API   *Config `yaml:"api"`
	Stage *Config `yaml:"stage"`
	Route *Config `yaml:"route"`
}

func load(t testing.TB, text string) (section, error) {
	t.Helper()
	var s section
	_, err := config.LoadBytes(filepath.Join(t.TempDir(), "test.yaml"), []byte(text), &s, config.Options{})
	return s, err
}

func TestLevels(t *testing.T) {
	for _, tc := range []struct{ config, passes, refused string }{
		{`api: 192.0.2.0/24`, "192.0.2.1 192.0.2.255 ::ffff:192.0.2.7", "192.0.3.0 192.0.1.255 2001:db8::1 ::ffff:192.0.3.1 ::192.0.2.1"},
		{`api: ["192.0.2.1", "2001:db8::/32"]`, "192.0.2.1 2001:db8:ffff::1 2001:db8::1%eth0", "192.0.2.2 2001:db9::"},
		{`api: {deny: 192.0.2.0/24}`, "192.0.3.1 ::1", "192.0.2.9 ::ffff:192.0.2.9 none"},
		{`api: {deny: "::ffff:192.0.2.0/120"}`, "192.0.3.1", "192.0.2.9"},
		{`api: {allow: any, deny: "2001:db8::1"}`, "1.2.3.4 2001:db8::2", "2001:db8::1"},
		{`api: {allow: 10.0.0.0/8, deny: 10.1.0.0/16}`, "10.2.0.1", "10.1.255.255 11.0.0.0 none"},
		{"api: {allow: 10.0.0.0/8, deny: 10.1.0.0/16}\nroute: {allow: 192.0.2.1}", "192.0.2.1", "10.2.0.1 10.1.0.1"}, // the nearest allow alone
		{"api: {allow: 10.0.0.0/8, deny: 10.1.0.0/16}\nroute: {allow: any}", "192.0.2.1 10.2.0.1", "10.1.0.1"},       // but every deny
		{"api: {deny: 10.1.0.0/16}\nstage: {deny: 10.2.0.0/16}\nroute: {deny: 10.3.0.0/16}", "10.4.0.1", "10.1.0.1 10.2.0.1 10.3.0.1"},
		{"api: 10.0.0.0/8\nstage: {deny: 10.2.0.0/16}", "10.4.0.1", "10.2.0.1 192.0.2.1"},
		{"stage: 10.0.0.0/8", "10.4.0.1", "192.0.2.1"},
	} {
		s, err := load(t, tc.config)
		if err != nil {
			t.Errorf("%s: %v", tc.config, err)
			continue
		}
		h := New(s.Route.Over(s.Stage.Over(s.API)))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }))
		for from, want := range map[string]int{tc.passes: 204, tc.refused: 403} {
			for address := range strings.FieldsSeq(from) {
				if got, x := ask(h, address); got != want || want == 403 && (x.Refused.Rule.Filter != "addresses" || !x.Refused.Rule.At.IsValid()) {
					t.Errorf("%s: %s got %d, want %d", tc.config, address, got, want)
				}
			}
		}
	}
}

func ask(h http.Handler, from string) (int, *exchange.Exchange) {
	w := httptest.NewRecorder()
	x, r := exchange.Begin(w, httptest.NewRequest("GET", "/", nil), &exchange.Conn{}, nil)
	x.Client, _ = netip.ParseAddr(from)
	h.ServeHTTP(&x.Writer, r)
	x.Finish()
	return w.Code, x
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "office.txt")
	if err := os.WriteFile(file, []byte("# the office\n192.0.2.0/24   # ground floor\r\n\n  2001:db8::/48\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := load(t, fmt.Sprintf("api: {allow: [{file: %s}, 10.0.0.1]}", file))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(prefixes(s.API.Allow)); got != "[192.0.2.0/24 2001:db8::/48 10.0.0.1/32]" {
		t.Error(got)
	}
	if err := os.WriteFile(file, []byte("192.0.2.0/24\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = load(t, fmt.Sprintf("api: {allow: {file: %s}}", file)); err == nil || !strings.Contains(err.Error(), `office.txt, line 2: "nonsense" is no IP address`) {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	for text, says := range map[string]string{
		`api: {}`:                          "nobody is allowed or denied",
		`api: {allow: 10.0.0.1/8}`:         "did you mean 10.0.0.0/8?",
		`api: [any, nobody]`:               `"nobody" is no IP address`,
		`api: {alow: any}`:                 `did you mean "allow"?`,
		`api: {allow: {file: missing}}`:    "missing",
		`api: {allow: {}}`:                 `"file" is missing`,
		`api: {allow: "fe80::1%eth0"}`:     "no IP address",
		`api: {allow: "::ffff:0:0/95"}`:    "mixes IPv4 and IPv6",
		`api: {allow: [10.0.0.0/8, 10/8]}`: `"10/8" is no IP address`,
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want it to say %q", text, err, says)
		}
	}
}

func TestDigest(t *testing.T) {
	s, err := load(t, "api: {allow: 10.0.0.0/8}\nstage: {deny: 10.0.0.0/8}\nroute: {allow: 10.0.0.0/8}")
	if err != nil {
		t.Fatal(err)
	}
	if s.API.Digest() == s.Stage.Digest() || s.API.Digest() != s.Route.Digest() || s.Route.Over(s.Stage).Digest() == s.Route.Digest() || (*Config)(nil).Digest() != "" {
		t.Error("digests")
	}
}

// The set is held against one prefix after the other.
func TestSetAgainstPrefixes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	address := func() netip.Addr {
		var b [16]byte
		for i := range b {
			b[i] = byte(random.UintN(3)) * 0x7f // crowded, so that prefixes touch and overlap
		}
		if random.UintN(2) == 0 {
			return netip.AddrFrom4([4]byte(b[:4]))
		}
		return netip.AddrFrom16(b)
	}
	for range 300 {
		var list []netip.Prefix
		for range random.UintN(40) {
			a := address()
			list = append(list, netip.PrefixFrom(a, random.IntN(a.BitLen()+1)).Masked())
		}
		s := NewSet(list)
		for range 200 {
			a := address()
			for _, a := range []netip.Addr{a, a.Next(), a.Prev()} {
				want := false
				for _, p := range list {
					want = want || p.Contains(a)
				}
				if a.IsValid() && s.Contains(a) != want {
					t.Fatalf("%v in %v: %v", a, list, !want)
				}
			}
		}
	}
}

// FuzzList holds that a file is read or refused, and that what was read is in
// the set.
func FuzzList(f *testing.F) {
	for _, seed := range []string{"192.0.2.0/24\n2001:db8::1 # x", "0.0.0.0/0", "::ffff:1.2.3.4", "fe80::1%1", "10.0.0.0/33", "#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var list []netip.Prefix
		for line := range strings.Lines(text) {
			var p config.Prefix
			if p.UnmarshalText([]byte(strings.TrimSpace(line))) == nil {
				list = append(list, p.Prefix)
			}
		}
		s := NewSet(list)
		for _, p := range list {
			if !s.Contains(p.Addr()) || p.Addr().Is4() && !s.Contains(netip.AddrFrom16(p.Addr().As16())) {
				t.Fatalf("%v is not in the set of %v", p, list)
			}
		}
	})
}

func BenchmarkContains(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000, 100_000} {
		random := rand.New(rand.NewPCG(3, 4))
		var list []netip.Prefix
		for range n {
			list = append(list, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(random.UintN(256)), byte(random.UintN(256)), byte(random.UintN(256)), 0}), 24))
			list = append(list, netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, byte(random.UintN(256)), byte(random.UintN(256)), byte(random.UintN(256)), byte(random.UintN(256))}), 48))
		}
		s := NewSet(list)
		asked := make([]netip.Addr, 4096)
		for i := range asked {
			p := list[random.IntN(len(list))]
			if asked[i] = p.Addr().Next(); i%2 == 0 {
				asked[i] = netip.AddrFrom4([4]byte{byte(random.UintN(256)), byte(random.UintN(256)), byte(random.UintN(256)), 9})
			}
		}
		b.Run(fmt.Sprintf("%d+%d", n, n), func(b *testing.B) {
			b.ReportAllocs()
			found := 0
			for i := range b.N {
				if s.Contains(asked[i&4095]) {
					found++
				}
			}
		})
	}
}

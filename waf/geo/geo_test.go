package geo

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"gatehouse/config"
)

func TestEmbedded(t *testing.T) {
	d := Embedded()
	for text, want := range map[string]string{
		"8.8.8.8": "US", "175.45.176.1": "KP", "::ffff:175.45.176.1": "KP", "2001:4860:4860::8888": "US", "2a02:6b8::1": "RU", "5.255.255.5": "RU",
		"127.0.0.1": "", "10.0.0.1": "", "0.0.0.0": "", "255.255.255.255": "", "::1": "", "::": "", "fe80::1%eth0": "", "2001:db8::1": "", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "",
	} {
		if got := d.Country(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %q, not %q", text, got, want)
		}
	}
	if d.Country(netip.Addr{}) != "" || d.Regions() || d.Region(netip.MustParseAddr("8.8.8.8")) != "" {
		t.Error("no address is nowhere, and regions are not known")
	}
	if !strings.HasPrefix(Version(), "v1.") {
		t.Error(Version())
	}
}

// mmdb returns a database made by MaxMind's own writer.
func mmdb(t testing.TB, kind string, networks map[string]mmdbtype.Map) []byte {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, IncludeReservedNetworks: true, RecordSize: 24})
	if err != nil {
		t.Fatal(err)
	}
	for text, record := range networks {
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(network, record); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func iso(code string) mmdbtype.Map { return mmdbtype.Map{"iso_code": mmdbtype.String(code)} }

func cities(t testing.TB) []byte {
	return mmdb(t, "Test-City", map[string]mmdbtype.Map{
		"192.0.2.0/25":    {"country": iso("DE"), "subdivisions": mmdbtype.Slice{iso("BE"), iso("X")}},
		"192.0.2.128/25":  {"country": iso("US"), "subdivisions": mmdbtype.Slice{iso("CA")}},
		"198.51.100.0/24": {"registered_country": iso("FR")},
		"203.0.113.0/25":  {"country_code": mmdbtype.String("jp"), "region_code": mmdbtype.String("13")},
		"203.0.113.128/25": {
			"country": mmdbtype.String("BR"), "region": mmdbtype.String("Sao Paulo"),
		},
		"2001:db8::/32": {"country": iso("KP")},
		"2001:db9::/32": {"country": iso("Korea")},
	})
}

func TestMMDB(t *testing.T) {
	d, err := Open(cities(t))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"192.0.2.1": "DE DE-BE", "192.0.2.200": "US US-CA", "::ffff:192.0.2.200": "US US-CA", "198.51.100.1": "FR ", "203.0.113.1": "JP JP-13", "203.0.113.200": "BR ",
		"2001:db8::7": "KP ", "2001:db9::7": " ", "9.9.9.9": " ", "::1": " ",
	} {
		a := netip.MustParseAddr(text)
		for range 2 { // decoded, and from the cache
			if got := d.Country(a) + " " + d.Region(a); got != want {
				t.Errorf("%s: %q, not %q", text, got, want)
			}
		}
	}
	if !d.Regions() {
		t.Error("regions may be known")
	}
}

func TestOpenErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		content []byte
		want    string
	}{
		"text":      {[]byte("hello"), "no database in MaxMind's format"},
		"nothing":   {nil, "no database in MaxMind's format"},
		"no cities": {mmdb(t, "Test-ASN", map[string]mmdbtype.Map{"192.0.2.0/24": {"autonomous_system_number": mmdbtype.Uint32(64496)}}), "it knows no countries: its kind is Test-ASN"},
	} {
		if _, err := Open(tc.content); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "gatehouse.yaml")
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("geo.mmdb", cities(t))
	load := func(text string) (Config, *config.Sources, error) {
		var doc struct {
			config.At
			Geo Config `yaml:"geo"`
		}
		write("gatehouse.yaml", []byte(text))
		sources, err := config.Load(path, &doc, config.Options{})
		return doc.Geo, sources, err
	}
	c, sources, err := load("geo: {database: geo.mmdb}\n")
	if err != nil {
		t.Fatal(err)
	}
	kp := netip.MustParseAddr("2001:db8::7")
	if got := c.DB().Country(kp); got != "KP" {
		t.Errorf("%q", got)
	}
	if again, _, _ := load("geo: {database: geo.mmdb}\n"); again.Database.Sum != c.Database.Sum || config.Digest(again) != config.Digest(c) {
		t.Error("the same database is another")
	}
	write("geo.mmdb", mmdb(t, "Other", map[string]mmdbtype.Map{"2001:db8::/32": {"country": iso("KR")}}))
	if !sources.Changed() {
		t.Error("another database is a change of the configuration")
	}
	if again, _, _ := load("geo: {database: geo.mmdb}\n"); again.DB().Country(kp) != "KR" || config.Digest(again) == config.Digest(c) {
		t.Error("another database is the same")
	}
	if own, _, err := load("{}\n"); err != nil || own.DB().Country(netip.MustParseAddr("175.45.176.1")) != "KP" {
		t.Error("without a database, the program's own data", err)
	}
	write("geo.mmdb", []byte("hello"))
	if _, _, err := load("geo: {database: geo.mmdb}\n"); err == nil || !strings.Contains(err.Error(), "geo.mmdb:1:1: it is no database") {
		t.Error(err)
	}
}

// What is no database, or a broken one, neither panics nor hangs.
func FuzzOpen(f *testing.F) {
	whole := mmdb(f, "Test", map[string]mmdbtype.Map{"192.0.2.0/24": {"country": iso("DE"), "subdivisions": mmdbtype.Slice{iso("BE")}}})
	f.Add(whole, []byte{192, 0, 2, 1})
	f.Add(whole[:len(whole)-9], []byte{192, 0, 2, 1})
	f.Add([]byte("\xab\xcd\xefMaxMind.com"), []byte{1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, content, address []byte) {
		d, err := Open(content)
		a, ok := netip.AddrFromSlice(address)
		if err != nil || !ok {
			return
		}
		if c := d.Country(a); c != "" && len(c) != 2 {
			t.Fatalf("%q", c)
		}
	})
}

func TestNoAllocation(t *testing.T) {
	own, err := Open(cities(t))
	if err != nil {
		t.Fatal(err)
	}
	a := netip.MustParseAddr("192.0.2.1")
	for _, d := range []*DB{Embedded(), own} {
		d.Country(a)
		if n := testing.AllocsPerRun(100, func() { d.Country(a) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func BenchmarkCountry(b *testing.B) {
	own, err := Open(cities(b))
	if err != nil {
		b.Fatal(err)
	}
	for name, d := range map[string]*DB{"embedded": Embedded(), "mmdb": own} {
		for _, text := range []string{"192.0.2.1", "2001:db8::1"} {
			b.Run(fmt.Sprintf("%s/%s", name, text), func(b *testing.B) {
				a := netip.MustParseAddr(text)
				b.ReportAllocs()
				for b.Loop() {
					d.Country(a)
				}
			})
		}
	}
}

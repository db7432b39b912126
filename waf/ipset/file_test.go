package ipset

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/config"
)

func TestRead(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		ranges     int
		faults     string
	}{
		{"lines", "# bad ones\n192.0.2.0/24\n\n  198.51.100.7 ; one\r\n2001:db8::/32 # two\n10.0.0.1 - 10.0.0.9", 4, ""},
		{"a mark before it", "\ufeff192.0.2.1\n", 1, ""},
		{"nothing", "", 0, ""},
		{"wrong lines", "192.0.2.0/24\n192.0.2.300\n192.0.2.1/24\n9.9.9.9-1.1.1.1\n1.1.1.1-::1\nfe80::1%eth0\n1.1.1.1/33\n", 1,
			`2: "192.0.2.300" is no address, prefix or range: write 192.0.2.1, 192.0.2.0/24 or 192.0.2.1-192.0.2.9|3: "192.0.2.1/24" has bits beyond its length: did you mean 192.0.2.0/24?|4: the range 9.9.9.9-1.1.1.1 ends before it begins|5: a range is of one family: 1.1.1.1-::1 mixes IPv4 and IPv6|6: "fe80::1%eth0" is no address|7: "1.1.1.1/33" is no prefix`},
		{"a long line", "192.0.2.1\n" + strings.Repeat("1", maxLine+1), 1, "2: the line is longer than 4096 bytes"},
		{"aws", `{"IPSet": {"Name": "bad", "IPAddressVersion": "IPV4", "Addresses": ["192.0.2.0/24",
 "198.51.100.7/32"], "Tags": [{"Key": "a", "Value": ["x"]}]}, "LockToken": "x"}`, 2, ""},
		{"the set alone", `{"Addresses": ["2001:db8::/32"]}`, 1, ""},
		{"the list alone", ` ["2001:db8::/32", "192.0.2.1/32"]`, 2, ""},
		{"wrong entries", "{\"Addresses\": [\"192.0.2.0/24\",\n\"192.0.2.1/24\",\n\"x\"]}", 1, `2: "192.0.2.1/24" has bits|3: "x" is no address`},
		{"other JSON", `{"Name": "bad"}`, 0, `1: no "Addresses"`},
		{"no texts", `{"Addresses": [1]}`, 0, `1: the addresses of a set are texts`},
		{"broken JSON", `{"Addresses": ["192.0.2.1"`, 1, "1: unexpected"},
		{"two values", `["192.0.2.1"] []`, 1, "1: something follows"},
		{"deep", strings.Repeat(`{"a":`, 40), 0, "1: nested too deeply"},
	} {
		var b Builder
		var got []string
		for _, f := range b.Read(strings.NewReader(tc.text)) {
			got = append(got, fmt.Sprintf("%d: %v", f.Line, f.Err))
		}
		want := strings.Split(tc.faults, "|")
		if tc.faults == "" {
			want = nil
		}
		if len(got) != len(want) || b.Len() != tc.ranges {
			t.Errorf("%s: %d ranges, %q", tc.name, b.Len(), got)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%s:\ngot  %s\nwant %s", tc.name, got[i], want[i])
			}
		}
	}
}

type document struct {
	config.At
	Sets map[string]Config `yaml:"ip-sets"`
}

func load(t *testing.T, dir, text string) (document, *config.Sources, error) {
	t.Helper()
	path := filepath.Join(dir, "gatehouse.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var d document
	sources, err := config.Load(path, &d, config.Options{})
	return d, sources, err
}

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "bad.txt")
	if err := os.WriteFile(file, []byte("198.51.100.0/24\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const text = "ip-sets:\n  office: [192.0.2.0/24, '2001:db8::1']\n  bad: {files: bad.txt}\n  both: {addresses: [10.0.0.1-10.0.0.9], files: [bad.txt]}\n"
	d, sources, err := load(t, dir, text)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		set, address string
		want         bool
	}{
		{"office", "192.0.2.7", true}, {"office", "2001:db8::1", true}, {"office", "198.51.100.1", false},
		{"bad", "198.51.100.1", true}, {"bad", "192.0.2.7", false}, {"both", "198.51.100.1", true}, {"both", "10.0.0.5", true}, {"both", "10.0.0.10", false},
	} {
		if got := d.Sets[tc.set].Set().Contains(netip.MustParseAddr(tc.address)); got != tc.want {
			t.Errorf("%s in %s: %v", tc.address, tc.set, got)
		}
	}
	if sources.Changed() {
		t.Error("nothing has changed")
	}
	again, _, _ := load(t, dir, text)
	if !again.Sets["both"].Equal(d.Sets["both"]) || config.Digest(again.Sets) != config.Digest(d.Sets) {
		t.Error("the same sets are not equal")
	}
	if err := os.WriteFile(file, []byte("203.0.113.0/24\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !sources.Changed() {
		t.Error("a change of a file that a set names is a change of the configuration")
	}
	changed, _, _ := load(t, dir, text)
	if changed.Sets["both"].Equal(d.Sets["both"]) || config.Digest(changed.Sets) == config.Digest(d.Sets) || !changed.Sets["office"].Equal(d.Sets["office"]) {
		t.Error("a set of a changed file is the same")
	}
}

func TestConfigErrors(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bad.txt"), []byte("198.51.100.0/24\n198.51.100.1/24\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"ip-sets: {a: [192.0.2.1/24]}":            `gatehouse.yaml:1:15: `,
		"ip-sets: {a: 192.0.2.1}":                 "wanted a list of addresses",
		"ip-sets: {a: {files: bad.txt}}":          `bad.txt:2:1: `,
		"ip-sets: {a: {files: [nowhere.txt]}}":    "nowhere.txt: no such file",
		"ip-sets: {a: {addresses: [[1]]}}":        "wanted text",
		"ip-sets: {a: {addresses: 192.0.2.1}}":    "wanted a list",
		"ip-sets: {a: {adresses: ['192.0.2.1']}}": `did you mean "addresses"?`,
		"ip-sets: {a: {files: .}}":                "is a folder",
	} {
		_, _, err := load(t, dir, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\ngot  %v\nwant %s", text, err, want)
		}
	}
}

// What is read never panics, and what is in it is in the set.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"192.0.2.0/24\n2001:db8::/32 # x\n1.1.1.1-1.1.1.9", `{"Addresses":["192.0.2.0/24"]}`, `["::/0"]`, "::ffff:1.2.3.4/120\n0.0.0.0-255.255.255.255"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var b Builder
		b.Read(strings.NewReader(text))
		n := b.Len()
		s := b.Build()
		if s.Len() > 3*n {
			t.Fatalf("%d ranges became %d", n, s.Len())
		}
		for line := range strings.SplitSeq(text, "\n") {
			r, err := Parse(line)
			if err != nil || strings.ContainsAny(text, "{[;#\ufeff") || len(text) > maxLine {
				continue
			}
			var one Builder
			one.Add(r)
			if alone := one.Build(); !alone.Contains(r.From) || !alone.Contains(r.To) || r.From.Prev().IsValid() && alone.Contains(r.From.Prev()) || r.To.Next().IsValid() && alone.Contains(r.To.Next()) {
				t.Fatalf("%q", line)
			}
		}
	})
}

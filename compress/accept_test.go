package compress

import (
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var everything = []coding{zstd, br, gzip}

func TestChoose(t *testing.T) {
	for _, test := range []struct {
		field string // lines are parted by "|"; "-" for no field
		offer []coding
		want  coding
	}{
		{"-", everything, identity},
		{"", everything, identity},
		{" , ,", everything, identity},
		{"gzip", everything, gzip},
		{"GZip", everything, gzip},
		{"x-gzip", everything, gzip},
		{"X-GZIP;Q=0.5", everything, gzip},
		{"deflate", everything, identity},
		{"compress, deflate", everything, identity},
		{"gzip, deflate, br, zstd", everything, zstd},
		{"gzip, deflate, br", everything, br},
		{"gzip, deflate, br, zstd", []coding{gzip, zstd}, gzip},
		{"gzip|br", everything, br},
		{"gzip;q=1.0, br;q=0.9", everything, gzip},
		{"zstd;q=0.1 , gzip ; q=0.2,br;q=0.15", everything, gzip},
		{"gzip;q=0.001", everything, gzip},
		{"gzip;q=0", everything, identity},
		{"gzip;q=0.000", everything, identity},
		{"gzip;q=0., br;q=0.1", everything, br},
		{"*", everything, gzip},
		{"*", []coding{zstd, br}, zstd},
		{"*;q=0.5", everything, gzip},
		{"*;q=0", everything, identity},
		{"gzip;q=0, *", everything, zstd},
		{"gzip, *", everything, gzip},
		{"br, *;q=0.5", everything, br},
		{"br;q=0.5, *", everything, gzip},
		{"br;q=0.5, *", []coding{br}, identity}, // "*" is identity too, and liked better
		{"identity", everything, identity},
		{"identity, gzip", everything, gzip},
		{"identity;q=1, gzip;q=0.5", everything, identity},
		{"identity;q=0.5, gzip;q=1", everything, gzip},
		{"identity;q=0", everything, identity},
		{"identity;q=0, gzip", everything, gzip},
		{"identity;q=0, gzip;q=0.1", everything, gzip},
		{"*;q=0, gzip", everything, gzip},
		{"gzip, gzip;q=0", everything, identity}, // a refusal stays one
		{"gzip;q=0, x-gzip", everything, identity},
		{"gzip;q=2", everything, identity},
		{"gzip;q=1.001", everything, identity},
		{"gzip;q=-1", everything, identity},
		{"gzip;q=0.5555", everything, identity},
		{"gzip;q=", everything, identity},
		{"gzip;q", everything, identity},
		{"gzip;", everything, identity},
		{"gzip;level=9", everything, identity},
		{"gzip;q=0.5;level=9", everything, identity},
		{"gzip;q =0.5", everything, identity},
		{"gzip;q=nan, br", everything, br},
		{"gzipp, zip, g zip", everything, identity},
		{"gzip br", everything, identity},
		{"\"gzip\"", everything, identity},
		{strings.Repeat("gzip;q=0.1,", 5000) + "br", everything, br},
	} {
		var lines []string
		if test.field != "-" {
			lines = strings.Split(test.field, "|")
		}
		a := parseAccept(lines)
		if got := a.choose(test.offer); got != test.want {
			t.Errorf("%.80q of %v: %v, want %v", test.field, test.offer, got, test.want)
		}
	}
}

func TestRefusesPlain(t *testing.T) {
	for field, want := range map[string]bool{
		"": false, "gzip": false, "gzip, *": false, "identity;q=0": true, "*;q=0": true, "gzip, *;q=0": true,
		"identity, *;q=0": false, "identity;q=0.001, *;q=0": false, "identity;q=0, *": true, "identity;q=x": true,
	} {
		a := parseAccept([]string{field})
		if a.refusesPlain() != want {
			t.Errorf("%q: %v", field, !want)
		}
	}
}

// byTheBook reads the field a second time, by the grammar of RFC 9110 as it
// stands there, and slowly.
func byTheBook(lines []string) map[string]int {
	element := regexp.MustCompile(`^([!#$%&'*+\-.^_` + "`" + `|~0-9A-Za-z]+)(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?$`)
	name := regexp.MustCompile(`^[ \t]*([^;]*?)[ \t]*(?:;.*)?$`)
	out := make(map[string]int)
	for _, e := range strings.Split(strings.Join(lines, ","), ",") {
		e = strings.Trim(e, " \t")
		n := name.FindStringSubmatch(e)
		if n == nil {
			continue
		}
		key := strings.ToLower(n[1])
		if key == "x-gzip" {
			key = "gzip"
		}
		q := 0
		if m := element.FindStringSubmatch(e); m != nil {
			f := 1.0
			if m[2] != "" {
				f, _ = strconv.ParseFloat(m[2], 64)
			}
			q = int(f*1000 + 0.5)
		}
		if before, twice := out[key]; !twice || q < before {
			out[key] = q
		}
	}
	return out
}

// FuzzAccept: what is read is what the grammar says, and what is chosen is
// something that was offered, that the client takes, and that nothing offered
// outweighs.
func FuzzAccept(f *testing.F) {
	for _, seed := range []string{
		"gzip, deflate, br, zstd", "gzip;q=1.0, *;q=0.5", "identity;q=0, x-gzip;q=0.3", "*;q=0", "br;q=0.001,\tgzip ; Q=1.000", "gzip;q=0.5;x=1, zstd;q=", "gzip\nbr;q=0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		if strings.ContainsAny(field, "\r\v\f\x00") {
			return // no field's value holds them
		}
		lines := strings.Split(field, "\n")
		a := parseAccept(lines)
		book := byTheBook(lines)
		for c := identity; c < codings; c++ {
			want, said := book[names[c]]
			if !said {
				want = int(unsaid)
			}
			if int(a.of[c]) != want {
				t.Fatalf("%q: %v weighs %d, by the book %d", field, c, a.of[c], want)
			}
		}
		if want, said := book["*"]; said && int(a.other) != want || !said && a.other != unsaid {
			t.Fatalf("%q: * weighs %d, by the book %d %v", field, a.other, want, said)
		}
		checkChoice(t, field, &a)
	})
}

func checkChoice(t *testing.T, field string, a *accept) {
	offers := []coding{zstd, br, gzip}
	rand.Shuffle(len(offers), func(i, j int) { offers[i], offers[j] = offers[j], offers[i] })
	best := a.choose(offers)
	for _, c := range offers {
		if a.takes(c) > a.takes(best) {
			t.Fatalf("%q: %v, though %v weighs more", field, best, c)
		}
	}
	if best != identity && (a.takes(best) == 0 || a.of[best] == 0) {
		t.Fatalf("%q: %v, which the client refuses", field, best)
	}
	if best == identity && a.takes(gzip) > 0 && a.takes(gzip) >= a.takes(identity) {
		t.Fatalf("%q: plain, though gzip would do", field)
	}
}

func TestParseAcceptAllocates(t *testing.T) {
	lines := []string{"gzip, deflate;q=0.5, br;q=1.0, zstd", "*;q=0.1"}
	if n := testing.AllocsPerRun(100, func() {
		a := parseAccept(lines)
		_ = a.choose(everything)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

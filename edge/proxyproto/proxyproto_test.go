package proxyproto_test

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"testing"

	pires "github.com/pires/go-proxyproto"

	"gatehouse/edge/proxyproto"
)

const signature = "\r\n\r\n\x00\r\nQUIT\n"

func v2(command, family byte, body string) string {
	return signature + string([]byte{command, family, byte(len(body) >> 8), byte(len(body))}) + body
}

func TestParse(t *testing.T) {
	four := "\xc0\x00\x02\x01\xc0\x00\x02\x02\x10\x92\x01\xbb"
	six := "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01" + "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x02" + "\x10\x92\x01\xbb"
	mapped := strings.Repeat("\x00", 10) + "\xff\xff\xc0\x00\x02\x01" + strings.Repeat("\x00", 10) + "\xff\xff\xc0\x00\x02\x02" + "\x10\x92\x01\xbb"
	tests := map[string]struct {
		in     string
		source string // "" for none
		left   string
		err    error
	}{
		"v1 IPv4":                   {"PROXY TCP4 192.0.2.1 192.0.2.2 4242 443\r\nGET /", "192.0.2.1:4242", "GET /", nil},
		"v1 IPv6":                   {"PROXY TCP6 2001:db8::1 2001:db8::2 4242 443\r\n", "[2001:db8::1]:4242", "", nil},
		"v1 IPv6 with mapped":       {"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 4242 443\r\n", "192.0.2.1:4242", "", nil},
		"v1 unknown":                {"PROXY UNKNOWN\r\nx", "", "x", nil},
		"v1 unknown with rest":      {"PROXY UNKNOWN ffff:f...f 1 2\r\n", "", "", nil},
		"v1 longest":                {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "", nil},
		"v1 too long":               {"PROXY UNKNOWN " + strings.Repeat("x", 120) + "\r\n", "", "", proxyproto.ErrBroken},
		"v1 no end":                 {"PROXY TCP4 192.0.2.1", "", "", proxyproto.ErrMore},
		"v1 bare LF":                {"PROXY TCP4 192.0.2.1 192.0.2.2 4242 443\n" + strings.Repeat("x", 100), "", "", proxyproto.ErrBroken},
		"v1 family and address":     {"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", "", "", proxyproto.ErrBroken},
		"v1 two spaces":             {"PROXY TCP4  192.0.2.1 192.0.2.2 4242 443\r\n", "", "", proxyproto.ErrBroken},
		"v1 port too large":         {"PROXY TCP4 192.0.2.1 192.0.2.2 65536 443\r\n", "", "", proxyproto.ErrBroken},
		"v1 port with zero":         {"PROXY TCP4 192.0.2.1 192.0.2.2 042 443\r\n", "", "", proxyproto.ErrBroken},
		"v1 port with sign":         {"PROXY TCP4 192.0.2.1 192.0.2.2 +42 443\r\n", "", "", proxyproto.ErrBroken},
		"v1 zone":                   {"PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n", "", "", proxyproto.ErrBroken},
		"v1 UDP":                    {"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", "", "", proxyproto.ErrBroken},
		"v1 lower case":             {"proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "", "", proxyproto.ErrNone},
		"v2 IPv4":                   {v2(0x21, 0x11, four) + "GET /", "192.0.2.1:4242", "GET /", nil},
		"v2 IPv4 with extensions":   {v2(0x21, 0x11, four+"\x01\x00\x02h2") + "x", "192.0.2.1:4242", "x", nil},
		"v2 IPv6":                   {v2(0x21, 0x21, six), "[2001:db8::1]:4242", "", nil},
		"v2 mapped":                 {v2(0x21, 0x21, mapped), "192.0.2.1:4242", "", nil},
		"v2 local":                  {v2(0x20, 0x00, "") + "x", "", "x", nil},
		"v2 local with addresses":   {v2(0x20, 0x11, four) + "x", "", "x", nil},
		"v2 unspecified":            {v2(0x21, 0x00, "abc") + "x", "", "x", nil},
		"v2 unix":                   {v2(0x21, 0x31, strings.Repeat("u", 216)) + "x", "", "x", nil},
		"v2 UDP":                    {v2(0x21, 0x12, four), "", "", proxyproto.ErrBroken},
		"v2 short IPv4":             {v2(0x21, 0x11, four[:11]), "", "", proxyproto.ErrBroken},
		"v2 short IPv6":             {v2(0x21, 0x21, six[:35]), "", "", proxyproto.ErrBroken},
		"v2 version 1":              {v2(0x11, 0x11, four), "", "", proxyproto.ErrBroken},
		"v2 command 2":              {v2(0x22, 0x11, four), "", "", proxyproto.ErrBroken},
		"v2 too long":               {v2(0x21, 0x11, four+strings.Repeat("x", 5000)), "", "", proxyproto.ErrBroken},
		"v2 too long, announced":    {v2(0x21, 0x11, "")[:14] + "\xff\xff", "", "", proxyproto.ErrBroken},
		"v2 half":                   {v2(0x21, 0x11, four)[:20], "", "", proxyproto.ErrMore},
		"v2 half signature":         {signature[:5], "", "", proxyproto.ErrMore},
		"nothing":                   {"", "", "", proxyproto.ErrMore},
		"one letter":                {"P", "", "", proxyproto.ErrMore},
		"HTTP":                      {"GET / HTTP/1.1\r\n", "", "", proxyproto.ErrNone},
		"HTTP POST":                 {"PO", "", "", proxyproto.ErrNone},
		"HTTP/2":                    {"PRI * HTTP/2.0\r\n", "", "", proxyproto.ErrNone},
		"TLS":                       {"\x16\x03\x01\x02\x00", "", "", proxyproto.ErrNone},
		"line ends, then a request": {"\r\n\r\nGET / HTTP/1.1\r\n", "", "", proxyproto.ErrNone},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h, n, err := proxyproto.Parse([]byte(test.in))
			if err != test.err {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if err != nil {
				return
			}
			if got := h.Source; test.source == "" && got.IsValid() || test.source != "" && got != netip.MustParseAddrPort(test.source) {
				t.Errorf("source %v, want %q", got, test.source)
			}
			if got := test.in[n:]; got != test.left {
				t.Errorf("left %q, want %q", got, test.left)
			}
		})
	}
}

// What a header's beginning says must not depend on where a read cut it.
func TestParseInPieces(t *testing.T) {
	for _, whole := range []string{
		"PROXY TCP4 192.0.2.1 192.0.2.2 4242 443\r\n",
		v2(0x21, 0x11, "\xc0\x00\x02\x01\xc0\x00\x02\x02\x10\x92\x01\xbb"),
	} {
		for i := range len(whole) {
			if _, _, err := proxyproto.Parse([]byte(whole[:i])); err != proxyproto.ErrMore {
				t.Errorf("%q: %v", whole[:i], err)
			}
		}
	}
}

// The library that the field uses writes what Parse reads.
func TestAgreesWithOthers(t *testing.T) {
	ends := [][2]string{{"192.0.2.1:1", "192.0.2.2:2"}, {"[2001:db8::1]:65535", "[2001:db8::2]:443"}}
	for _, end := range ends {
		src, dst := netip.MustParseAddrPort(end[0]), netip.MustParseAddrPort(end[1])
		for version := byte(1); version <= 2; version++ {
			theirs := pires.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(src), net.TCPAddrFromAddrPort(dst))
			var b bytes.Buffer
			if _, err := theirs.WriteTo(&b); err != nil {
				t.Fatal(err)
			}
			h, n, err := proxyproto.Parse(b.Bytes())
			if err != nil || n != b.Len() || h.Source != src || h.Destination != dst {
				t.Errorf("version %d: %+v, %d of %d, %v", version, h, n, b.Len(), err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 4242 443\r\nGET /"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(v2(0x21, 0x11, "\xc0\x00\x02\x01\xc0\x00\x02\x02\x10\x92\x01\xbb")))
	f.Add([]byte(v2(0x20, 0, "")))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := proxyproto.Parse(b)
		switch {
		case err != nil && (n != 0 || h != proxyproto.Header{}):
			t.Errorf("an error with a result: %v %d %v", h, n, err)
		case err == nil && (n <= 0 || n > len(b) || n > proxyproto.MaxLength):
			t.Errorf("length %d of %d", n, len(b))
		case h.Source.Addr().Is4In6():
			t.Errorf("mapped: %v", h.Source)
		case err == proxyproto.ErrMore && len(b) >= proxyproto.MaxLength:
			t.Error("endless")
		}
	})
}

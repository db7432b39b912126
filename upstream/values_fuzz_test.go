package upstream

import (
	"strings"
	"testing"
)

// What is read as a target is one of three kinds, can be written down again, and
// holds nothing that a head or a look-up could take for more than a name.
func FuzzTarget(f *testing.F) {
	for _, text := range []string{"10.0.1.10:8080", "[::1]:80", "dns:Orders.internal:8080", "srv:_http._tcp.orders.internal", "srv:_a._b.c:80", "dns:10.0.0.1:80", "a b:80", ":80"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var first, second Target
		if first.parse(text) != nil {
			return
		}
		if err := second.parse(first.String()); err != nil || first != second {
			t.Errorf("%q: %+v, then %+v, %v", text, first, second, err)
		}
		if strings.ContainsAny(first.Address, " \t\r\n\x00/@?#") || first.DNS && first.SRV || first.Address == "" {
			t.Errorf("%q: %+v", text, first)
		}
	})
}

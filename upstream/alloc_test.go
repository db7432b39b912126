//go:build !race

package upstream

import (
	"net/http"
	"net/netip"
	"testing"

	"gatehouse/exchange"
)

// The budget of a small proxied GET: what the Exchange costs, and of ours the
// answer's fields: one string and one slice.
func TestAllocations(t *testing.T) {
	address := fastBackend(t, answerOf(200))
	for name, c := range map[string]Config{"plain": service(address), "guarded": guarded(address)} {
		h := New(Route{Service: bind(t, c)})
		if ours := allocations(h) - allocations(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})); ours > 2 {
			t.Errorf("%s: %v allocations a request, the Exchange's apart", name, ours)
		}
	}
}

// allocations returns how many one request makes.
func allocations(h http.Handler) float64 {
	w := &nullWriter{h: http.Header{}}
	from := netip.MustParseAddrPort("192.0.2.1:1234")
	conn := &exchange.Conn{Peer: from, Source: from}
	request := benchRequest()
	return testing.AllocsPerRun(500, func() {
		clear(w.h)
		x, r := exchange.Begin(w, request, conn, nil)
		_ = x.Path.Parse("/v1/orders/17?verbose=1")
		h.ServeHTTP(&x.Writer, r)
		x.Finish()
		x.Release()
	})
}

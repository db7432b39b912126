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
	h := New(Route{Service: bind(t, service(fastBackend(t, answerOf(200))))})
	w := &nullWriter{h: http.Header{}}
	from := netip.MustParseAddrPort("192.0.2.1:1234")
	conn := &exchange.Conn{Peer: from, Source: from}
	request := benchRequest()
	run := func(next http.Handler) float64 {
		return testing.AllocsPerRun(500, func() {
			clear(w.h)
			x, r := exchange.Begin(w, request, conn, nil)
			_ = x.Path.Parse("/v1/orders/17?verbose=1")
			next.ServeHTTP(&x.Writer, r)
			x.Finish()
			x.Release()
		})
	}
	alone := run(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if ours := run(h) - alone; ours > 2 {
		t.Errorf("%v allocations a request, the Exchange's %v apart", ours, alone)
	}
}

package edge

import (
	"io"
	"net/http"
	"testing"
)

// BenchmarkHTTP2 is a small answer over HTTP/2, client and all.
func BenchmarkHTTP2(b *testing.B) {
	h := newHouse(b, nil, listenerConfig(withTLS()))
	client := h.client(true)
	get(b, client, "https://api.shop.test/")
	b.ReportAllocs()
	for b.Loop() {
		resp, err := client.Get("https://api.shop.test/")
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}

// BenchmarkHandshake is a connection: accept, TLS and one request.
func BenchmarkHandshake(b *testing.B) {
	h := newHouse(b, nil, listenerConfig(withTLS()))
	client := h.client(false)
	client.Transport.(*http.Transport).DisableKeepAlives = true
	b.ReportAllocs()
	for b.Loop() {
		get(b, client, "https://api.shop.test/")
	}
}

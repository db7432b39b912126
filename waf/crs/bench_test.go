package crs_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/exchange"
)

func benchmark(b *testing.B, config, method, target string, header http.Header, body string) {
	set := compile(b, config)
	b.ReportAllocs()
	for b.Loop() {
		var in io.Reader
		if body != "" {
			in = strings.NewReader(body)
		}
		r := httptest.NewRequest(method, target, in)
		r.Header = header
		x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, nil)
		_ = x.Path.Parse(r.RequestURI)
		f, _ := set.Request(x, r)
		if f.Refusal.Status != 0 {
			b.Fatal(f.Detail())
		}
		x.Finish()
		x.Release()
	}
}

func browser() http.Header {
	return http.Header{
		"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"}, "Accept": {"application/json, text/plain, */*"},
		"Accept-Language": {"en-US,en;q=0.9"}, "Accept-Encoding": {"gzip, deflate, br, zstd"}, "Origin": {"https://shop.test"}, "Referer": {"https://shop.test/cart"},
		"Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Site": {"same-site"}, "Content-Type": {"application/json"}, "Cookie": {"sid=3f1c9a77e0b24d6f; theme=dark; lang=en"},
		"Authorization": {"Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsInNjb3BlIjoib3JkZXJzIn0.c2lnbmF0dXJlLXNpZ25hdHVyZS1zaWduYXR1cmU"},
	}
}

const order = `{"customer": "c-1047", "currency": "EUR", "items": [{"sku": "TEA-0042", "count": 2, "price": 7.5}, {"sku": "CUP-0007", "count": 1, "price": 12}], "address": {"street": "Long Road 5", "city": "Oslo", "country": "NO"}, "note": "please ring twice"}`

func BenchmarkGet(b *testing.B) {
	benchmark(b, "{}", "GET", "/orders/42", http.Header{"User-Agent": {"curl/8"}, "Accept": {"*/*"}}, "")
}

func BenchmarkOrder(b *testing.B) { benchmark(b, "{}", "POST", "/orders", browser(), order) }

func BenchmarkOrderParanoid(b *testing.B) {
	benchmark(b, "{paranoia: 4, mode: count}", "POST", "/orders", browser(), order)
}

func BenchmarkLargeForm(b *testing.B) {
	benchmark(b, "{budget: 1m}", "POST", "/", http.Header{"User-Agent": {"curl/8"}, "Accept": {"*/*"}, "Content-Type": {"application/x-www-form-urlencoded"}}, "text="+strings.Repeat("hello+world+", 5000))
}

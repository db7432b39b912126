package compress

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkRoute is what compress costs a request in all, beside the same route
// without it. Bodies are of 5 KB.
func BenchmarkRoute(b *testing.B) {
	body := orders(5000)
	h := make(http.Header)
	w := &discard{h}
	target := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		clear(h)
		h["Content-Type"], h["Content-Length"] = htmlType, htmlLength
		_, _ = w.Write(body)
	})
	cfg, k := mustLoad(b, on), NewKeeper(1<<30)
	for _, c := range []struct {
		name   string
		accept string
		around func(http.Handler) http.Handler
	}{
		{"without", "gzip", nil},
		{"plain", "deflate", New(cfg, k)}, {"gzip", "gzip", New(cfg, k)}, {"br", "br", New(cfg, k)}, {"zstd", "zstd", New(cfg, k)},
	} {
		b.Run(c.name, func(b *testing.B) {
			var chain http.Handler = target
			if c.around != nil {
				chain = c.around(Plain(cfg)(target))
			}
			accept := []string{c.accept}
			b.ReportAllocs()
			for b.Loop() {
				serveOnce(w, chain, accept)
			}
		})
	}
}

// BenchmarkCodings is every coding at every level: its speed, and what it
// leaves of JSON and of source code.
func BenchmarkCodings(b *testing.B) {
	bodies := []struct {
		name string
		body []byte
	}{{"JSON", orders(20 << 10)}, {"source", source(b)}}
	for _, level := range []Level{Fast, Default, Best} {
		for c := gzip; c < codings; c++ {
			for _, of := range bodies {
				b.Run(string(level)+"/"+c.String()+"/"+of.name, func(b *testing.B) {
					var out bytes.Buffer
					s := shops[level][c]
					b.SetBytes(int64(len(of.body)))
					for b.Loop() {
						out.Reset()
						m := s.open(&out)
						_, _ = m.Write(of.body)
						_ = m.Close()
						s.close(m)
					}
					b.ReportMetric(100*float64(out.Len())/float64(len(of.body)), "%left")
				})
			}
		}
	}
}

// source is 60 KB of this room's own source.
func source(b *testing.B) []byte {
	files, err := filepath.Glob("*.go")
	if err != nil {
		b.Fatal(err)
	}
	var all []byte
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, text...)
	}
	return all[:min(len(all), 60<<10)]
}

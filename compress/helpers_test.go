package compress

import (
	"bytes"
	stdgzip "compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	kzstd "github.com/klauspost/compress/zstd"

	"gatehouse/config"
	"gatehouse/exchange"
)

// load reads what stands under compress:.
func load(text string) (*Config, error) {
	var root struct {
		Compress *Config `yaml:"compress"`
	}
	_, err := config.LoadBytes("t.yaml", []byte("compress: "+text+"\n"), &root, config.Options{})
	return root.Compress, err
}

func mustLoad(t testing.TB, text string) *Config {
	t.Helper()
	c, err := load(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// route is a whole route: both filters, and a target between them.
type route struct {
	keeper *Keeper
	chain  http.Handler
}

func newRoute(t testing.TB, text string, target http.HandlerFunc) *route {
	t.Helper()
	cfg, k := mustLoad(t, text), NewKeeper(1<<30)
	return &route{k, New(cfg, k)(Plain(cfg)(target))}
}

// ask sends a request, "METHOD name: value|name: value", and returns the answer.
func (r *route) ask(t testing.TB, request string) (*httptest.ResponseRecorder, *exchange.Exchange) {
	t.Helper()
	rec := httptest.NewRecorder()
	x := r.send(t, rec, request)
	x.Finish()
	if used := r.keeper.Usage().Used; used != 0 {
		t.Errorf("%d bytes of encoders are still taken", used)
	}
	return rec, x
}

// send sends a request and leaves the answer unfinished.
func (r *route) send(t testing.TB, w http.ResponseWriter, request string) *exchange.Exchange {
	t.Helper()
	method, fields, _ := strings.Cut(request, " ")
	req := httptest.NewRequest(method, "/", nil)
	for f := range strings.SplitSeq(fields, "|") {
		if name, value, ok := strings.Cut(f, ": "); ok {
			req.Header.Add(name, value)
		}
	}
	x, req := exchange.Begin(w, req, &exchange.Conn{}, nil)
	r.chain.ServeHTTP(&x.Writer, req)
	return x
}

// answering is a target that sets fields, "name: value|...", and writes a body.
func answering(status int, fields, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for f := range strings.SplitSeq(fields, "|") {
			if name, value, ok := strings.Cut(f, ": "); ok {
				w.Header().Add(name, value)
			}
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// decode undoes a coding by a reader that is not the encoder's own library
// where there is one; cut says that the body broke off.
func decode(t testing.TB, name string, body io.Reader) (plain string, cut bool) {
	t.Helper()
	switch name {
	case "gzip":
		r, err := stdgzip.NewReader(body)
		if err != nil {
			t.Fatal(err)
		}
		body = r
	case "br":
		body = brotli.NewReader(body)
	case "zstd":
		r, err := kzstd.NewReader(body, kzstd.WithDecoderConcurrency(1), kzstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		body = r
	case "":
	default:
		t.Fatalf("unknown coding %q", name)
	}
	b, err := io.ReadAll(body)
	return string(b), err != nil
}

func decoded(t testing.TB, rec *httptest.ResponseRecorder) string {
	t.Helper()
	plain, cut := decode(t, rec.Header().Get("Content-Encoding"), rec.Body)
	if cut {
		t.Error("the body broke off")
	}
	return plain
}

// orders is JSON as an API would write it, n bytes of it.
func orders(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"shipped", "pending", "Berlin", "Hamburg", "blue", "cotton", "shirt", "socks", "express", "gift"}
	var b bytes.Buffer
	for b.Len() < n {
		_ = json.NewEncoder(&b).Encode(map[string]any{
			"id": r.IntN(1e9), "status": words[r.IntN(10)], "customer": fmt.Sprintf("c-%08x", r.Uint32()), "total": float64(r.IntN(1e5)) / 100,
			"items": []any{map[string]any{"sku": r.IntN(1e6), "name": words[r.IntN(10)] + " " + words[r.IntN(10)], "quantity": r.IntN(9)}},
		})
	}
	return b.Bytes()[:n]
}

// noise does not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

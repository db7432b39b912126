package http1_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Files are copied up to the smallest of what there is, what was asked for and
// what was announced; and the reader in between knows how much was.
func TestBodiesFromFiles(t *testing.T) {
	text := strings.Repeat("0123456789", 20_000)
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ announced, asked, body int64 }{
		{200_000, 200_000, 200_000}, {150_000, 150_000, 150_000}, {150_000, 1 << 30, 150_000}, {200_000, 1 << 30, 200_000},
	} {
		left := make(chan int64, 1)
		e := start(t, settings(), func(w http.ResponseWriter, r *http.Request) {
			f, err := os.Open(name)
			if err != nil {
				t.Error(err)
			}
			defer f.Close()
			w.Header().Set("Content-Length", fmt.Sprint(tc.announced))
			w.WriteHeader(http.StatusOK) // what is written before goes another way
			l := &io.LimitedReader{R: f, N: tc.asked}
			_, _ = io.Copy(w, l)
			left <- l.N
		})
		got := answers(t, e.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), "GET")
		if body := bodyOf(got[0]); body != text[:tc.body] {
			t.Errorf("%+v: %d bytes", tc, len(body))
		}
		if l := <-left; l != tc.asked-tc.body {
			t.Errorf("%+v: %d are left of what was asked for", tc, l)
		}
	}
}

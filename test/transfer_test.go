package test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// mover is a service that moves bodies: /down/N sends N bytes, /up counts what it
// gets, /early refuses without reading, /file is a document with ranges, /hints
// sends Early Hints, /trailers returns the request's.
func mover(text string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/down/{n}", func(w http.ResponseWriter, r *http.Request) {
		var n int64
		_, _ = fmt.Sscan(r.PathValue("n"), &n)
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", r.PathValue("n"))
		_, _ = io.Copy(w, io.LimitReader(zeros{}, n))
	})
	mux.HandleFunc("/up", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, " ", err)
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, "not wanted")
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"v1"`)
		http.ServeContent(w, r, "file.txt", time.Unix(1_700_000_000, 0), strings.NewReader(text))
	})
	mux.HandleFunc("/hints", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("X-Final", "yes")
		_, _ = io.WriteString(w, "done")
	})
	mux.HandleFunc("/trailers", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprintf(w, "%s %v", body, r.Trailer)
		w.Header().Set("X-Sum", "42")
		w.Header().Set(http.TrailerPrefix+"X-Late", "43")
	})
	return mux
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// startMover starts the service by both protocols, and a gateway before it at
// /h1 and /h2.
func startMover(t *testing.T, text string) *running {
	one := httptest.NewServer(mover(text))
	two := overHTTP2(t, httptest.NewUnstartedServer(mover(text)))
	for _, s := range []*httptest.Server{one, two} {
		t.Cleanup(s.Close)
		t.Cleanup(s.CloseClientConnections)
	}
	return start(t, fmt.Sprintf(`
listen:
  - {address: "127.0.0.1:0", tls: {certificates: internal}, limits: {body: 2GiB}}
  - {address: "127.0.0.1:00", limits: {body: 2GiB}}
apis:
  a:
    domains: [localhost, 127.0.0.1]
    authorize: none
    timeout: 2m
    routes:
      - {match: "ANY /h1/{rest+}", target: "service:h1", rewrite: "/{rest}"}
      - {match: "ANY /h2/{rest+}", target: "service:h2", rewrite: "/{rest}"}
services:
  h1: {targets: ["%s"]}
  h2: {targets: ["%s"], protocol: h2c}
`, one.Listener.Addr(), two.Listener.Addr()), nil)
}

// way is one way through the gateway: how the client comes, and which service it
// asks.
type way struct {
	name, base string
	client     *http.Client
}

func ways(t *testing.T, r *running) (all []way) {
	for _, service := range []string{"h1", "h2"} {
		for name, base := range map[string]string{"plain": "http://" + r.address("127.0.0.1:00"), "TLS": "https://" + r.secure(), "HTTP/2": "https://" + r.secure()} {
			transport := &http.Transport{ForceAttemptHTTP2: name == "HTTP/2", DisableCompression: true, ExpectContinueTimeout: 5 * time.Second, TLSClientConfig: &tls.Config{RootCAs: r.roots, ServerName: "localhost"}}
			t.Cleanup(transport.CloseIdleConnections)
			all = append(all, way{name + " to " + service, base + "/" + service, &http.Client{Transport: transport, Timeout: 2 * time.Minute}})
		}
	}
	return all
}

// peak runs f and returns by how much the heap was larger in the meantime.
func peak(f func()) uint64 {
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	stop, highest := make(chan struct{}), uint64(0)
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				runtime.ReadMemStats(&now)
				highest = max(highest, now.HeapInuse)
			}
		}
	})
	f()
	close(stop)
	watch.Wait()
	return highest - min(highest, before.HeapInuse)
}

// A gibibyte either way takes no more memory than a small body.
func TestLargeBodies(t *testing.T) {
	r := startMover(t, "")
	for _, w := range ways(t, r) {
		size := int64(1 << 30)
		switch {
		case strings.HasPrefix(w.name, "TLS"):
			continue // what it has of its own is in the other two
		case testing.Short():
			size = 16 << 20
		case w.name == "HTTP/2 to h1", w.name == "plain to h2":
			size = 256 << 20 // each half has a whole one elsewhere
		}
		took := time.Now()
		grown := peak(func() {
			resp, err := w.client.Get(fmt.Sprint(w.base, "/down/", size))
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if n != size || err != nil {
				t.Errorf("%s: %d bytes came down, %v", w.name, n, err)
			}
			req, _ := http.NewRequest("POST", w.base+"/up", io.LimitReader(zeros{}, size))
			req.ContentLength = size
			if resp, err = w.client.Do(req); err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(got) != fmt.Sprint(size, " ", nil) {
				t.Errorf("%s: went up: %d %s", w.name, resp.StatusCode, got)
			}
		})
		if grown > 48<<20 {
			t.Errorf("%s: the heap grew by %d MiB", w.name, grown>>20)
		}
		t.Logf("%s: %v, the heap grew by %d KiB", w.name, time.Since(took), grown>>10)
	}
}

// Who refuses an upload early is heard, and the rest is not sent.
func TestEarlyAnswers(t *testing.T) {
	r := startMover(t, "")
	for _, w := range ways(t, r) {
		for _, expects := range []bool{false, true} {
			sent := &counting{Reader: io.LimitReader(zeros{}, 64<<20)}
			req, _ := http.NewRequest("POST", w.base+"/early", sent)
			req.ContentLength = 64 << 20
			if expects {
				req.Header.Set("Expect", "100-continue")
			}
			resp, err := w.client.Do(req)
			if err != nil {
				if !expects && strings.HasPrefix(w.name, "plain") || strings.HasPrefix(w.name, "TLS") {
					continue // a client of HTTP/1 may see its connection end before the answer
				}
				t.Errorf("%s, expects %v: %v", w.name, expects, err)
				continue
			}
			got, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 409 || string(got) != "not wanted" || sent.n == 64<<20 {
				t.Errorf("%s, expects %v: %d %q after %d bytes", w.name, expects, resp.StatusCode, got, sent.n)
			}
		}
	}
}

type counting struct {
	io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

func TestInformationalAndTrailers(t *testing.T) {
	r := startMover(t, "")
	for _, w := range ways(t, r) {
		var early []string
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			early = append(early, fmt.Sprint(code, " ", h.Get("Link"), " ", h.Get("X-Final")))
			return nil
		}}
		req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", w.base+"/hints", nil)
		resp, err := w.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if fmt.Sprint(early) != "[103 </style.css>; rel=preload ]" || string(got) != "done" || resp.Header.Get("X-Final") != "yes" {
			t.Errorf("%s: %q, then %q %v", w.name, early, got, resp.Header)
		}
		req, _ = http.NewRequest("POST", w.base+"/trailers", struct{ io.Reader }{strings.NewReader("body")})
		req.Trailer = http.Header{"X-Check": {"7"}}
		req.Header.Set("Te", "trailers")
		if resp, err = w.client.Do(req); err != nil {
			t.Fatal(err)
		}
		got, _ = io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(got) != "body map[X-Check:[7]]" || resp.Trailer.Get("X-Sum") != "42" || resp.Trailer.Get("X-Late") != "43" {
			t.Errorf("%s: %q, trailer %v", w.name, got, resp.Trailer)
		}
		if resp, err = w.client.Head(w.base + "/down/12345"); err != nil || resp.StatusCode != 200 || resp.ContentLength != 12345 {
			t.Errorf("%s: HEAD: %+v %v", w.name, resp, err)
		}
	}
}

// curl resumes downloads by ranges.
func TestRanges(t *testing.T) {
	text := strings.Repeat("0123456789", 5000)
	r := startMover(t, text)
	for _, service := range []string{"/h1", "/h2"} {
		for _, version := range []string{"--http1.1", "--http2"} {
			out, err := r.curl(t, service+"/file", "--range", "10-19", version)
			if err != nil || string(out) != text[10:20] {
				t.Errorf("%s %s: %q, %v", service, version, out, err)
			}
			out, err = r.curl(t, service+"/file", "--range", "0-1,5-6", version)
			if err != nil || bytes.Count(out, []byte("Content-Range: bytes ")) != 2 {
				t.Errorf("%s %s: two ranges: %q, %v", service, version, out, err)
			}
			part := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(part, []byte(text[:20000]), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := r.curl(t, service+"/file", "--continue-at", "-", "--output", part, version); err != nil {
				t.Errorf("%s %s: %v", service, version, err)
			}
			if whole, _ := os.ReadFile(part); string(whole) != text {
				t.Errorf("%s %s: %d bytes after going on", service, version, len(whole))
			}
			for tag, want := range map[string]string{`"v1"`: "206", `"v0"`: "200"} {
				out, err := r.curl(t, service+"/file", "--range", "10-19", "-H", "If-Range: "+tag, "--output", os.DevNull, "--write-out", "%{http_code}", version)
				if err != nil || string(out) != want {
					t.Errorf("%s %s: If-Range %s: %s, %v", service, version, tag, out, err)
				}
			}
			out, err = r.curl(t, service+"/file", "--range", "60000-", "--output", os.DevNull, "--write-out", "%{http_code}", version)
			if err != nil || string(out) != "416" {
				t.Errorf("%s %s: beyond the end: %s, %v", service, version, out, err)
			}
		}
	}
}

package test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// uncompressed returns an answer's body without its content coding.
func uncompressed(a answer) (string, error) {
	var r io.Reader = strings.NewReader(a.body)
	var err error
	switch a.header.Get("Content-Encoding") {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "br":
		r = brotli.NewReader(r)
	case "zstd":
		r, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
	}
	if err != nil {
		return a.body, err
	}
	plain, err := io.ReadAll(r)
	return string(plain), err
}

// library is a service with documents, as a file server would serve them, with
// streams, and with answers that break off.
func library(t *testing.T, document string) string {
	t.Helper()
	changed := time.Unix(1_700_000_000, 0)
	mux := http.NewServeMux()
	mux.HandleFunc("/document", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Etag", `"v1"`)
		http.ServeContent(w, r, "", changed, strings.NewReader(document))
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := 0; ; i++ {
			fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(20 * time.Millisecond): // so that events are apart
			}
		}
	})
	mux.HandleFunc("/gzipped", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("X-Asked", r.Header.Get("Accept-Encoding"))
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, document)
		_ = z.Close()
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, document)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/trailer", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, document)
		w.Header().Set("X-Sum", "42")
	})
	s := httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = nil
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func document() string {
	var b strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&b, `{"order":%d,"status":"shipped","city":"Berlin","total":%d.%02d}`+"\n", i*7919, i%977, i%100)
	}
	return b.String()
}

func startLibrary(t *testing.T) (*running, string) {
	t.Helper()
	text := document()
	return start(t, `
apis:
  shop:
    authorize: none
    compress: {types: [default, text/event-stream]}
    routes: [{match: "ANY /{proxy*}", target: "http://`+library(t, text)+`"}]
`, nil), text
}

// tool runs a program of the system, or skips the test where there is none.
func tool(t *testing.T, stdin io.Reader, name string, args ...string) ([]byte, error) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s here", name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = stdin
	cmd.WaitDelay = 5 * time.Second
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", name, err, problems.Bytes())
	}
	return out, err
}

// curl asks the gateway by curl and returns what it puts out.
func (r *running) curl(t *testing.T, path string, args ...string) ([]byte, error) {
	t.Helper()
	root := filepath.Join(r.dir, "data", "ca", "root.pem")
	port := r.secure()[strings.LastIndexByte(r.secure(), ':')+1:]
	args = append([]string{"--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--cacert", root,
		"--resolve", "localhost:" + port + ":127.0.0.1", "https://localhost:" + port + path}, args...)
	return tool(t, nil, "curl", args...)
}

// curl decodes by zlib, libbrotli and libzstd: each is what the others came from.
func TestCompressCurl(t *testing.T) {
	r, text := startLibrary(t)
	features, err := tool(t, nil, "curl", "--version")
	if err != nil {
		t.Fatal(err)
	}
	for coding, feature := range map[string]string{"gzip": "libz", "br": "brotli", "zstd": "zstd"} {
		if !bytes.Contains(features, []byte(feature)) {
			t.Logf("this curl knows no %s", coding)
			continue
		}
		for _, version := range []string{"--http1.1", "--http2"} {
			head := filepath.Join(t.TempDir(), "head")
			out, err := r.curl(t, "/document", "--compressed", "-H", "Accept-Encoding: "+coding, version, "-D", head)
			if err != nil || string(out) != text {
				t.Errorf("%s %s: %d bytes, want %d, %v", coding, version, len(out), len(text), err)
			}
			fields, _ := os.ReadFile(head)
			if !strings.Contains(strings.ToLower(string(fields)), "content-encoding: "+coding+"\r\n") {
				t.Errorf("%s %s: %s", coding, version, fields)
			}
			// Broken off, it is an error to curl.
			if _, err := r.curl(t, "/cut", "--compressed", "-H", "Accept-Encoding: "+coding, version); err == nil {
				t.Errorf("%s %s: what broke off looks whole", coding, version)
			}
		}
	}
	if out, err := r.curl(t, "/document", "--range", "10-19", "--compressed"); err != nil || string(out) != text[10:20] {
		t.Errorf("a range: %q, %v", out, err)
	}
	if out, err := r.curl(t, "/document", "--http1.0", "--no-alpn", "--compressed"); err != nil || string(out) != text {
		t.Errorf("HTTP/1.0: %d bytes, %v", len(out), err)
	}
}

// A second decoder of each: node's zlib, and zstd's own program.
func TestCompressOtherDecoders(t *testing.T) {
	r, text := startLibrary(t)
	for coding, command := range map[string][]string{
		"gzip": {"node", "-e", "process.stdin.pipe(require('zlib').createGunzip()).pipe(process.stdout)"},
		"br":   {"node", "-e", "process.stdin.pipe(require('zlib').createBrotliDecompress()).pipe(process.stdout)"},
		"zstd": {"zstd", "-dc", "--memory=8MB"},
	} {
		t.Run(coding, func(t *testing.T) {
			for _, protocol := range protocols {
				got := protocol.send(t, r, message{method: "GET", target: "/document", host: "localhost", header: [][2]string{{"Accept-Encoding", coding}}})
				if got.header.Get("Content-Encoding") != coding || len(got.body) > len(text)/3 {
					t.Fatalf("%d bytes, %v", len(got.body), got.header)
				}
				out, err := tool(t, strings.NewReader(got.body), command[0], command[1:]...)
				if err != nil || string(out) != text {
					t.Errorf("%s: %d bytes, want %d, %v", protocol.name, len(out), len(text), err)
				}
			}
		})
	}
}

// A client's copy is found good again, and ranges are of the plain document.
func TestCompressConditions(t *testing.T) {
	r, text := startLibrary(t)
	for _, protocol := range protocols {
		ask := func(fields ...string) answer {
			m := message{method: "GET", target: "/document", host: "localhost"}
			for _, f := range fields {
				name, value, _ := strings.Cut(f, ": ")
				m.header = append(m.header, [2]string{name, value})
			}
			return protocol.send(t, r, m)
		}
		whole := ask("Accept-Encoding: br")
		if tag := whole.header.Get("Etag"); tag != `W/"v1~br"` || whole.header.Get("Accept-Ranges") != "" || whole.header.Get("Last-Modified") == "" {
			t.Fatalf("%s: %v", protocol.name, whole.header)
		}
		for _, test := range []struct {
			want   string
			fields []string
		}{
			{`304 W/"v1~br" Accept-Encoding `, []string{"Accept-Encoding: br", `If-None-Match: W/"v1~br"`}},
			{`304 "v1" Accept-Encoding `, []string{"Accept-Encoding: br", `If-None-Match: "v1"`}},
			{`200 W/"v1~gzip" Accept-Encoding gzip`, []string{"Accept-Encoding: gzip", `If-None-Match: W/"v1~br"`}},
			{`200 "v1" Accept-Encoding `, []string{`If-None-Match: W/"v1~br"`}},
			{`412  `, []string{"Accept-Encoding: br", `If-Match: W/"v0~br"`}},
			{`200 W/"v1~br" Accept-Encoding br`, []string{"Accept-Encoding: br", `If-Match: W/"v1~br"`}},
			{`206 "v1" Accept-Encoding `, []string{"Accept-Encoding: br", "Range: bytes=5-9"}},
			{`206 "v1" Accept-Encoding `, []string{"Accept-Encoding: br", "Range: bytes=5-9", `If-Range: "v1"`}},
			{`200 W/"v1~br" Accept-Encoding br`, []string{"Accept-Encoding: br", "Range: bytes=5-9", `If-Range: W/"v1~br"`}},
			{`200 W/"v1~br" Accept-Encoding br`, []string{"Accept-Encoding: br", "Range: bytes=5-9", "If-Range: " + whole.header.Get("Last-Modified")}},
			{`206 "v1" Accept-Encoding `, []string{"Range: bytes=5-9", "If-Range: " + whole.header.Get("Last-Modified")}},
		} {
			got := ask(test.fields...)
			h := got.header
			is := fmt.Sprintf("%d %s %s %s", got.status, h.Get("Etag"), strings.Join(h["Vary"], ", "), h.Get("Content-Encoding"))
			if got.status == 412 {
				is = "412  "
			}
			if is != test.want {
				t.Errorf("%s %q: %s, want %s", protocol.name, test.fields, is, test.want)
			}
			switch plain, err := uncompressed(got); {
			case got.status == 200 && (plain != text || err != nil):
				t.Errorf("%s %q: %d bytes, %v", protocol.name, test.fields, len(plain), err)
			case got.status == 206 && (got.body != text[5:10] || h.Get("Content-Range") != fmt.Sprint("bytes 5-9/", len(text))):
				t.Errorf("%s %q: %q %v", protocol.name, test.fields, got.body, h)
			}
		}
	}
}

// What a service has coded passes as it is, to whomever.
func TestCompressCodedBefore(t *testing.T) {
	r, text := startLibrary(t)
	for _, protocol := range protocols {
		for _, accept := range []string{"gzip, br, zstd", "br", ""} {
			got := protocol.send(t, r, message{method: "GET", target: "/gzipped", host: "localhost", header: [][2]string{{"Accept-Encoding", accept}}})
			plain, err := uncompressed(got)
			if got.header.Get("Content-Encoding") != "gzip" || plain != text || err != nil || got.header.Get("X-Asked") != "identity" {
				t.Errorf("%s %q: %d bytes, %v, %v", protocol.name, accept, len(plain), err, got.header)
			}
		}
	}
}

// An answer that breaks off within its body breaks off for the client, though
// what came can be decoded.
func TestCompressCut(t *testing.T) {
	r, text := startLibrary(t)
	for _, protocol := range protocols {
		for _, coding := range []string{"gzip", "br", "zstd"} {
			got := protocol.send(t, r, message{method: "GET", target: "/cut", host: "localhost", header: [][2]string{{"Accept-Encoding", coding}}})
			plain, err := uncompressed(got)
			if got.err == nil || err == nil || !strings.HasPrefix(text, plain) {
				t.Errorf("%s %s: %v, %d bytes decoded: %v", protocol.name, coding, got.err, len(plain), err)
			}
		}
	}
}

// Events are there when they are sent, compressed or not, and when the reader
// leaves the service hears of it.
func TestCompressEvents(t *testing.T) {
	r, _ := startLibrary(t)
	for _, h2 := range []bool{false, true} {
		transport := &http.Transport{DisableCompression: true, ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{RootCAs: r.roots, ServerName: "localhost"}}
		client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
		for coding, reader := range map[string]func(io.Reader) (io.Reader, error){
			"gzip": func(b io.Reader) (io.Reader, error) { return gzip.NewReader(b) },
			"br":   func(b io.Reader) (io.Reader, error) { return brotli.NewReader(b), nil },
			"zstd": func(b io.Reader) (io.Reader, error) { return zstd.NewReader(b, zstd.WithDecoderConcurrency(1)) },
		} {
			req, _ := http.NewRequest("GET", "https://"+r.secure()+"/events", nil)
			req.Header.Set("Accept-Encoding", coding)
			resp, err := client.Do(req)
			if err != nil || resp.Header.Get("Content-Encoding") != coding || resp.ProtoMajor == 2 != h2 {
				t.Fatalf("%s: %v %v", coding, resp, err)
			}
			body, err := reader(resp.Body)
			if err != nil {
				t.Fatalf("%s: %v", coding, err)
			}
			// Five events come long before any buffer is full.
			lines := bufio.NewScanner(body)
			for i := range 5 {
				if !lines.Scan() || lines.Text() != fmt.Sprint("data: ", i) || !lines.Scan() {
					t.Errorf("%s h2 %v: event %d is %q, %v", coding, h2, i, lines.Text(), lines.Err())
				}
			}
			resp.Body.Close()
			line := r.logLine(resp.Header.Get("X-Amzn-Requestid"))
			if !strings.Contains(line, `"coding":"`+coding+`"`) || !strings.Contains(line, `"aborted":true`) {
				t.Errorf("%s: %s", coding, line)
			}
		}
		transport.CloseIdleConnections()
	}
}

// Trailers come behind a compressed body, and Go's own client decodes by itself.
func TestCompressTrailers(t *testing.T) {
	r, text := startLibrary(t)
	for _, h2 := range []bool{false, true} {
		transport := &http.Transport{ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{RootCAs: r.roots, ServerName: "localhost"}}
		resp, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Get("https://" + r.secure() + "/trailer")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != text || !resp.Uncompressed || resp.Trailer.Get("X-Sum") != "42" {
			t.Errorf("h2 %v: %d bytes, %v, trailer %v", h2, len(body), err, resp.Trailer)
		}
		transport.CloseIdleConnections()
	}
}

// Downloads that nobody reads hold encoders, but no more than there is memory
// for: the others go on plain, and room comes back when they end.
func TestCompressSlowReaders(t *testing.T) {
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		line := []byte(strings.Repeat("neither short nor all the same\n", 1000))
		for {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	}))
	t.Cleanup(endless.Close)
	r := start(t, `
limits: {encoders: 3MiB, shutdown: 5s}
apis: {a: {authorize: none, compress: {algorithms: gzip}, routes: [{match: GET /, target: "`+endless.URL+`"}]}}
`, nil)
	open := func() (net.Conn, string) {
		conn, err := tls.Dial("tcp", r.secure(), &tls.Config{RootCAs: r.roots, ServerName: "localhost", NextProtos: []string{"http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		return conn, resp.Header.Get("Content-Encoding")
	}
	coded := 0
	var conns []net.Conn
	for range 8 {
		conn, coding := open()
		conns = append(conns, conn)
		if coding == "gzip" {
			coded++
		}
	}
	if coded != 2 { // of 1.2 MiB each
		t.Errorf("%d of 8 are compressed at once", coded)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		conn, coding := open()
		_ = conn.Close()
		if coding == "gzip" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no room came back")
		}
	}
}

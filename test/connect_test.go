package test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestSocketsOverHTTP2 runs the tests of WebSockets over HTTP/2 (RFC 8441) in a
// process of their own: Go's engine offers them only where the environment of
// the process says so.
func TestSocketsOverHTTP2(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a browser")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestExtendedConnect", "-test.v", "-test.timeout=100s")
	cmd.Env = append(os.Environ(), "GODEBUG=http2xconnect=1")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "--- SKIP: TestExtendedConnect ") || strings.Contains(string(out), "no tests to run") {
		t.Errorf("%v\n%s", err, out)
	}
}

func offersExtendedConnect(t *testing.T) {
	if !strings.Contains(os.Getenv("GODEBUG"), "http2xconnect=1") {
		t.Skip("run by TestSocketsOverHTTP2")
	}
}

// connection2 is a client's connection by HTTP/2 with one stream, frame by
// frame: Go's own client sends no extended CONNECT.
type connection2 struct {
	t      *testing.T
	conn   net.Conn
	framer *http2.Framer
	status int
	header http.Header
	offers bool // the server takes extended CONNECT
	body   *io.PipeReader
}

// connectStream opens a WebSocket's stream.
func connectStream(t *testing.T, r *running, path, protocol string, header ...string) *connection2 {
	t.Helper()
	fields := []string{":method", "CONNECT", ":protocol", protocol, ":scheme", "https", ":path", path, ":authority", "localhost"}
	if len(header) == 0 || header[0] != "sec-websocket-version" {
		fields = append(fields, "sec-websocket-version", "13")
	}
	return openStream(t, r, append(fields, header...)...)
}

// openStream sends a request's head, and waits for the answer's.
func openStream(t *testing.T, r *running, fields ...string) *connection2 {
	t.Helper()
	c := &connection2{t: t, conn: r.dialTLS(t, "h2"), header: make(http.Header)}
	_, _ = io.WriteString(c.conn, http2.ClientPreface)
	c.framer = http2.NewFramer(c.conn, c.conn)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = c.framer.WriteSettings()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: fields[1] != "CONNECT"})
	body, in := io.Pipe()
	c.body = body
	answered := make(chan struct{})
	go c.read(in, answered)
	select {
	case <-answered:
	case <-time.After(10 * time.Second):
		t.Fatal("no answer")
	}
	return c
}

// read reads frames until the stream or the connection ends.
func (c *connection2) read(in *io.PipeWriter, answered chan struct{}) {
	tell := sync.OnceFunc(func() { close(answered) })
	defer tell()
	for {
		f, err := c.framer.ReadFrame()
		if err != nil {
			_ = in.CloseWithError(err)
			return
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if v, ok := f.Value(http2.SettingEnableConnectProtocol); ok {
				c.offers = v == 1
			}
		case *http2.MetaHeadersFrame:
			for _, h := range f.RegularFields() {
				c.header.Add(h.Name, h.Value)
			}
			_, _ = fmt.Sscan(f.PseudoValue("status"), &c.status)
			tell()
			if f.StreamEnded() {
				_ = in.Close()
				return
			}
		case *http2.DataFrame:
			_, _ = in.Write(f.Data())
			if f.StreamEnded() {
				_ = in.Close()
				return
			}
		case *http2.RSTStreamFrame:
			_ = in.CloseWithError(fmt.Errorf("reset: %v", f.ErrCode))
			return
		}
	}
}

func (c *connection2) write(p string) { _ = c.framer.WriteData(1, false, []byte(p)) }

// Where nobody has switched WebSockets over HTTP/2 on, nothing there becomes a
// tunnel.
func TestNoTunnelsOverHTTP2(t *testing.T) {
	r := start(t, `apis: {a: {authorize: none, routes: [{match: "ANY /{proxy*}", target: "http://`+newBackend(t, "a").Listener.Addr().String()+`"}]}}`, nil)
	get := []string{":method", "GET", ":scheme", "https", ":path", "/", ":authority", "localhost"}
	for _, tc := range []struct {
		name   string
		fields []string
		status int // 0 for a reset
	}{
		{"CONNECT", []string{":method", "CONNECT", ":authority", "localhost:443"}, 405},
		{"CONNECT elsewhere", []string{":method", "CONNECT", ":authority", "127.0.0.1:22"}, 405},
		{"CONNECT with a path", []string{":method", "CONNECT", ":scheme", "https", ":path", "/echo", ":authority", "localhost"}, 0},
		{"extended CONNECT", []string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":path", "/echo", ":authority", "localhost", "sec-websocket-version", "13"}, 0},
		{"Upgrade", append(get[:8:8], "connection", "upgrade", "upgrade", "websocket", "sec-websocket-version", "13", "sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="), 400},
		{"none of these", get, 200},
		{"HTTP2-Settings", append(get[:8:8], "http2-settings", "AAMAAABkAAQAAP__"), 200},
	} {
		c := openStream(t, r, tc.fields...)
		if c.offers || c.status != tc.status {
			t.Errorf("%s: %d %v, want %d", tc.name, c.status, c.header, tc.status)
		}
		if c.status != 200 {
			continue
		}
		if body, err := io.ReadAll(c.body); err != nil || len(body) == 0 || strings.Contains(string(body), "Http2-Settings") {
			t.Errorf("%s: the service got %s, %v", tc.name, body, err)
		}
	}
}

func TestExtendedConnect(t *testing.T) {
	offersExtendedConnect(t)
	r := start(t, fmt.Sprintf(talking, talker(t)), nil)
	c := connectStream(t, r, "/echo", "websocket")
	if !c.offers || c.status != 200 || c.header.Get("Sec-Websocket-Accept") != "" {
		t.Fatalf("%+v", c)
	}
	for range 3 {
		c.write("\x82\x85\x00\x00\x00\x00hello")
		got := make([]byte, 7)
		if _, err := io.ReadFull(c.body, got); err != nil || string(got) != "\x82\x05hello" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	c.write("\x88\x82\x00\x00\x00\x00\x03\xe8")
	rest, err := io.ReadAll(c.body)
	if err != nil || string(rest) != "\x88\x02\x03\xe8" {
		t.Errorf("the end: %q, %v", rest, err)
	}
	line := r.logLine(c.header.Get("X-Amzn-Requestid"))
	for _, want := range []string{`"status":200`, `"protocol":"HTTP/2.0"`, `"tunnel":{"bytesIn":41,"bytesOut":25,"end":"client"}`} {
		if !strings.Contains(line, want) {
			t.Errorf("the access log says %s, want %s", line, want)
		}
	}
	// At its limit it ends by a Close frame, whether or not the client answers.
	began := time.Now()
	c = connectStream(t, r, "/short", "websocket")
	rest, err = io.ReadAll(c.body)
	if string(rest) != "\x88\x13\x03\xe9open for too long" || time.Since(began) > 6*time.Second {
		t.Errorf("%q, %v after %v", rest, err, time.Since(began))
	}
	for _, tc := range []struct {
		name, path, protocol string
		header               []string
		status               int
	}{
		{"another protocol", "/echo", "connect-udp", nil, 405},
		{"another version", "/echo", "websocket", []string{"sec-websocket-version", "8"}, 426},
		{"another origin", "/echo", "websocket", []string{"origin", "https://evil.test"}, 403},
		{"a service that does not want it", "/no", "websocket", nil, 503},
		{"a service that lies", "/lie", "websocket", nil, 502},
		{"no route", "/nowhere/../x", "websocket", nil, 400},
	} {
		if c := connectStream(t, r, tc.path, tc.protocol, tc.header...); c.status != tc.status {
			t.Errorf("%s: %d %v, want %d", tc.name, c.status, c.header, tc.status)
		}
	}
}

// A stream that the client resets ends the service's connection, and a stop of
// the gateway is told.
func TestExtendedConnectEnds(t *testing.T) {
	offersExtendedConnect(t)
	r := start(t, fmt.Sprintf(talking, talker(t)), nil)
	c := connectStream(t, r, "/echo", "websocket")
	c.write("\x82\x85\x00\x00\x00\x00hello")
	_, _ = io.ReadFull(c.body, make([]byte, 7))
	_ = c.framer.WriteRSTStream(1, http2.ErrCodeCancel)
	if line := r.logLine(c.header.Get("X-Amzn-Requestid")); !strings.Contains(line, `"end":"client"`) {
		t.Errorf("the access log says %s", line)
	}
	c = connectStream(t, r, "/echo", "websocket")
	go r.stop()
	rest, _ := io.ReadAll(c.body)
	if !strings.HasSuffix(string(rest), "the gateway is stopping") {
		t.Errorf("the end: %q", rest)
	}
}

// A browser uses the connection that it has.
func TestExtendedConnectBrowser(t *testing.T) {
	offersExtendedConnect(t)
	pages := newBackend(t, "pages")
	port := freePort(t)
	r := start(t, fmt.Sprintf(`
listen: [{address: "127.0.0.1:%s", tls: {certificates: internal}}]
apis:
  chat:
    domains: [api.test]
    authorize: none
    routes:
      - {match: GET /page, target: "%s"}
      - {match: GET /echo, target: "http://%s"}
      - {match: GET /short, target: "http://%[3]s", rewrite: /echo, websocket: {max-age: 1s}}
`, port, pages.URL, talker(t)), nil)
	b := startBrowser(t, port)
	for path, want := range map[string]string{"echo": "hello 4001 true", "short": "hello 1001 true"} {
		got := b.run("api.test", fmt.Sprintf(`
return await new Promise(done => {
	const ws = new WebSocket('wss://api.test:PORT/%[1]s');
	let got = '';
	ws.onopen = () => ws.send('hello');
	ws.onmessage = e => { got = typeof e.data === 'string' ? e.data : 'binary'; if ('%[1]s' === 'echo') ws.close(4001, 'enough'); };
	ws.onclose = e => done(got + ' ' + e.code + ' ' + e.wasClean);
})`, path))
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
		if line := r.logLine(`"route":"GET /` + path + `"`); !strings.Contains(line, `"protocol":"HTTP/2.0"`) || !strings.Contains(line, `"tunnel":`) {
			t.Errorf("the access log says %s", line)
		}
	}
}

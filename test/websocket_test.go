package test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse/auth/devkey"
	"gatehouse/iam"
	"gatehouse/secrets"
)

// talker is a service with WebSockets: /echo answers every message with it,
// /close/CODE closes, /no refuses the handshake, /lie answers it wrongly.
func talker(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "talker")
		w.Header().Set("X-Seen", r.Header.Get("X-Asked")+" "+r.Header.Get("Connection")+" "+r.Header.Get("Upgrade")+" "+r.Header.Get("X-Forwarded-Proto"))
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, Subprotocols: []string{"chat"}, CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		for {
			kind, p, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, p) != nil {
				return
			}
		}
	})
	mux.HandleFunc("/close/{code}", func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			_ = c.Close(websocket.StatusCode(4242), "enough")
		}
	})
	mux.HandleFunc("/no", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Why", "full")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "not now")
	})
	mux.HandleFunc("/lie", func(w http.ResponseWriter, r *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		upgrade, accept := "websocket", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="
		if r.URL.RawQuery == "other" {
			upgrade = "h2c"
		}
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Accept: %s\r\n\r\nsmuggled", upgrade, accept)
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.CloseClientConnections)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

const talking = `
listen: [{address: "127.0.0.1:0", tls: {certificates: internal}}, {address: "127.0.0.1:00"}]
apis:
  chat:
    domains: [localhost, 127.0.0.1]
    authorize: none
    cors: {origins: ["https://pages.test"]}
    headers: {request: {set: {x-asked: gateway}}, response: {remove: [server]}}
    routes:
      - {match: "ANY /{proxy*}", target: "service:talker"}
      - {match: GET /own, target: "service:talker", rewrite: /echo, websocket: {origins: ["https://own.test"]}}
      - {match: GET /off, target: "service:talker", rewrite: /echo, websocket: false}
      - {match: GET /two, target: "service:talker", rewrite: /echo, websocket: {per-principal: 2}}
      - {match: GET /short, target: "service:talker", rewrite: /echo, websocket: {max-age: 1s}}
      - {match: GET /idle, target: "service:talker", rewrite: /echo, websocket: {idle-timeout: 1s}}
services: {talker: {targets: ["%s"]}}
`

// dialer opens WebSockets through a gateway by a real client.
type dialer struct {
	t *testing.T
	r *running
}

func (d dialer) http() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: d.r.roots, ServerName: "localhost"}}}
}

// dial opens one; of a handshake that fails, the answer is returned.
func (d dialer) dial(url string, header ...string) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(d.t.Context(), 20*time.Second)
	defer cancel()
	h := http.Header{}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		h.Set(name, value)
	}
	c, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: d.http(), HTTPHeader: h, Subprotocols: []string{"chat"}, CompressionMode: websocket.CompressionContextTakeover})
	if c != nil {
		c.SetReadLimit(-1)
		d.t.Cleanup(func() { _ = c.CloseNow() })
	}
	return c, resp, err
}

func (d dialer) must(url string, header ...string) (*websocket.Conn, *http.Response) {
	d.t.Helper()
	c, resp, err := d.dial(url, header...)
	if err != nil {
		d.t.Fatalf("%s: %v", url, err)
	}
	return c, resp
}

// say sends a message and wants it back.
func say(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageBinary, []byte(text)); err != nil {
		t.Fatalf("write: %v", err)
	}
	_, p, err := c.Read(ctx)
	if err != nil || string(p) != text {
		t.Fatalf("read %d bytes of %d, %v", len(p), len(text), err)
	}
}

// closed waits for the end of a WebSocket and returns its code and text.
func closed(t *testing.T, c *websocket.Conn) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		_, _, err := c.Read(ctx)
		var bye websocket.CloseError
		switch {
		case errors.As(err, &bye):
			return fmt.Sprintf("%d %s", bye.Code, bye.Reason)
		case err != nil:
			return err.Error()
		}
	}
}

func TestWebSocket(t *testing.T) {
	r := start(t, fmt.Sprintf(talking, talker(t)), nil)
	d := dialer{t, r}
	for _, base := range []string{"ws://" + r.address("127.0.0.1:00"), "wss://" + r.secure()} {
		c, resp := d.must(base + "/echo?x=1")
		for _, text := range []string{"", "hello", strings.Repeat("x", 70000), strings.Repeat("0123456789", 300000)} {
			say(t, c, text)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		reading := c.CloseRead(ctx)
		if err := c.Ping(ctx); err != nil {
			t.Errorf("%s: ping: %v", base, err)
		}
		_ = reading
		cancel()
		h := resp.Header
		if c.Subprotocol() != "chat" || h.Get("Server") != "" || h.Get("X-Amzn-Requestid") == "" || !strings.Contains(h.Get("Sec-Websocket-Extensions"), "permessage-deflate") {
			t.Errorf("%s: %q, %v", base, c.Subprotocol(), h)
		}
		scheme := map[string]string{"ws": "http", "wss": "https"}[base[:strings.Index(base, ":")]]
		if want := "gateway Upgrade websocket " + scheme; h.Get("X-Seen") != want {
			t.Errorf("%s: the service saw %q, want %q", base, h.Get("X-Seen"), want)
		}
		_ = c.Close(websocket.StatusNormalClosure, "bye")
		line := r.logLine(h.Get("X-Amzn-Requestid"))
		for _, want := range []string{`"status":101`, `"tunnel":{"bytesIn":`, `"end":"client"`, `"route":"ANY /{proxy*}"`} {
			if !strings.Contains(line, want) {
				t.Errorf("the access log says %s, want %s", line, want)
			}
		}
		c, _ = d.must(base + "/close/4242")
		if got := closed(t, c); got != "4242 enough" {
			t.Errorf("%s: closed by %s", base, got)
		}
	}
}

// An answer that is no 101 passes as it is, and one that lies is none.
func TestWebSocketRefused(t *testing.T) {
	r := start(t, fmt.Sprintf(talking, talker(t)), nil)
	d := dialer{t, r}
	for path, want := range map[string]string{"/no": "503 full not now", "/lie": "502  ", "/lie?other": "502  ", "/off": "426  "} {
		_, resp, err := d.dial("wss://" + r.secure() + path)
		if err == nil || resp == nil {
			t.Fatalf("%s: %v", path, err)
		}
		body, _ := io.ReadAll(resp.Body)
		if got := fmt.Sprintf("%d %s %s", resp.StatusCode, resp.Header.Get("X-Why"), body); !strings.HasPrefix(got, strings.TrimRight(want, " ")) || strings.Contains(got, "smuggled") {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestWebSocketOrigins(t *testing.T) {
	r := start(t, fmt.Sprintf(talking, talker(t)), nil)
	d := dialer{t, r}
	plain, secure := "ws://"+r.address("127.0.0.1:00"), "wss://"+r.secure()
	for _, tc := range []struct {
		url, origin string
		fine        bool
	}{
		{secure + "/echo", "https://" + r.secure(), true},
		{secure + "/echo", "https://pages.test", true},
		{secure + "/echo", "https://evil.test", false},
		{secure + "/echo", "http://" + r.secure(), false},
		{secure + "/echo", "https://127.0.0.1", false},
		{secure + "/echo", "null", false},
		{secure + "/own", "https://own.test", true},
		{secure + "/own", "https://pages.test", false},
		{secure + "/own", "https://" + r.secure(), true},
		{plain + "/echo", "http://" + r.address("127.0.0.1:00"), true},
		{plain + "/echo", "https://" + r.address("127.0.0.1:00"), false},
	} {
		_, resp, err := d.dial(tc.url, "Origin: "+tc.origin)
		if (err == nil) != tc.fine || !tc.fine && (resp == nil || resp.StatusCode != 403) {
			t.Errorf("%s from %s: %v", tc.url, tc.origin, err)
		}
	}
}

// What is no handshake of version 13 is refused before a service sees it, and
// no other protocol is switched to.
func TestWebSocketForms(t *testing.T) {
	backend := newBackend(t, "a").Listener.Addr().String()
	r := start(t, `
listen: [{address: "127.0.0.1:00"}]
apis: {a: {authorize: none, routes: [{match: "ANY /{proxy*}", target: "http://`+backend+`"}]}}
`, nil)
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	const version = "Sec-WebSocket-Version: 13\r\n"
	for _, tc := range []struct {
		name, head string
		status     int
	}{
		{"no key", "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + version, 400},
		{"two keys", "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + key + key + version, 400},
		{"a short key", "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAA\r\n" + version, 400},
		{"version 8", "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + key + "Sec-WebSocket-Version: 8\r\n", 426},
		{"the service takes it for a GET", "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + key + version, 200},
		{"by POST", "POST / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n" + key + version, 200},
		{"HTTP/1.0", "GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + key + version, 200},
		{"not nominated", "GET / HTTP/1.1\r\nUpgrade: websocket\r\n" + key + version, 200},
		{"h2c", "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", 200},
		{"h2c beside websocket", "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c, websocket\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n" + key + version, 200},
		{"TLS", "OPTIONS / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: TLS/1.0\r\n", 200},
		{"CONNECT", "CONNECT a.test:443 HTTP/1.1\r\n", 405},
		{"CONNECT to a path", "CONNECT / HTTP/1.1\r\n", 405},
		{"HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n", 505},
	} {
		a := raw(t, r.address("127.0.0.1:00"), tc.head+"Host: a\r\n\r\n")
		// A service that answers an ordinary request has seen nothing of a switch but
		// the handshake that was one.
		seen := strings.Contains(a.body, `"Upgrade"`) || strings.Contains(a.body, "Http2-Settings")
		if a.status != tc.status || seen != (tc.name == "the service takes it for a GET") {
			t.Errorf("%s: got %d %v, want %d\n%s", tc.name, a.status, a.err, tc.status, a.body)
		}
	}
}

func TestWebSocketLimits(t *testing.T) {
	r := start(t, fmt.Sprintf(talking, talker(t)), nil)
	d := dialer{t, r}
	base := "wss://" + r.secure()
	first, _ := d.must(base + "/two")
	d.must(base + "/two")
	if _, resp, err := d.dial(base + "/two"); err == nil || resp.StatusCode != 429 {
		t.Errorf("a third: %v %v", resp, err)
	}
	_ = first.CloseNow()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, _, err := d.dial(base + "/two"); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{"/short": "1001 open for too long", "/idle": "1001 idle"} {
		c, resp := d.must(base + path)
		say(t, c, "hello")
		if got := closed(t, c); got != want {
			t.Errorf("%s: closed by %s", path, got)
		}
		line := r.logLine(resp.Header.Get("X-Amzn-Requestid"))
		if end := map[string]string{"/short": "max-age", "/idle": "idle"}[path]; !strings.Contains(line, `"end":"`+end+`"`) {
			t.Errorf("%s: the access log says %s", path, line)
		}
	}
}

// A WebSocket may end when the token by which it was opened does. Until then it
// counts for whom the token names, and for nobody else at the same address.
func TestWebSocketToken(t *testing.T) {
	r := start(t, fmt.Sprintf(`
apis:
  chat:
    authorizers: {dev: {jwt: {issuer: "https://login.test", audience: test, jwks: development, leeway: 0s}}}
    authorize: dev
    websocket: {end-with-token: true, per-principal: 1}
    routes: [{match: "GET /{proxy*}", target: "service:talker"}]
services: {talker: {targets: ["%s"]}}
`, talker(t)), nil)
	key, err := devkey.Open(filepath.Join(r.dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	as := func(subject string) string {
		token, err := key.Sign(devkey.Claims{Issuer: "https://login.test", Audience: []string{"test"}, Subject: subject, Lifetime: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return "Authorization: Bearer " + token
	}
	d := dialer{t, r}
	if _, resp, err := d.dial("wss://" + r.secure() + "/echo"); err == nil || resp.StatusCode != 401 {
		t.Errorf("without a token: %v %v", resp, err)
	}
	c, _ := d.must("wss://"+r.secure()+"/echo", as("alice"))
	if _, resp, err := d.dial("wss://"+r.secure()+"/echo", as("alice")); err == nil || resp.StatusCode != 429 {
		t.Errorf("a second one of the same principal: %v %v", resp, err)
	}
	d.must("wss://"+r.secure()+"/echo", as("bob"))
	say(t, c, "hello")
	if got := closed(t, c); got != "1008 the credential has expired" {
		t.Errorf("closed by %s", got)
	}
}

// A WebSocket is opened by a signature as well: browsers can have it in the query.
// It may end with the session that signed.
func TestWebSocketSigned(t *testing.T) {
	t.Parallel()
	r := start(t, fmt.Sprintf(`
account: "123456789012"
iam: {roles: {guest: {trust: "account:123456789012", policies: {Statement: {Effect: Allow, Action: "execute-api:Invoke", Resource: "arn:aws:execute-api:*:*:chat/*/GET/echo"}}}}}
apis:
  chat:
    authorizers: {signed: {iam: {}}}
    authorize: signed
    websocket: {end-with-token: true}
    routes: [{match: "GET /{proxy*}", target: "service:talker"}]
services: {talker: {targets: ["%s"]}}
`, talker(t)), nil)
	sealer, err := iam.OpenSealer(secrets.NewFiles(filepath.Join(r.dir, "data")))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	s := &iam.Session{Account: "123456789012", Role: "guest", Name: "ann", Issued: now.Unix(), Expires: now.Add(5 * time.Second).Unix()}
	s.NewCredentials()
	token, err := sealer.Seal(s)
	if err != nil {
		t.Fatal(err)
	}
	presigned := func(path string) string {
		m := message{method: "GET", target: path, host: r.secure()}
		m.signer = parseSigner(t, "presign", s.AccessKey+" "+s.Secret+" token="+token)
		return "wss://" + r.secure() + m.signed(t).target
	}
	d := dialer{t, r}
	for url, want := range map[string]int{presigned("/idle"): 403, strings.Replace(presigned("/echo"), "X-Amz-Signature=", "X-Amz-Signature=0", 1): 403} {
		if _, resp, err := d.dial(url); err == nil || resp.StatusCode != want {
			t.Errorf("%s: %v %v", url, resp, err)
		}
	}
	c, _ := d.must(presigned("/echo"))
	say(t, c, "hello")
	if got := closed(t, c); got != "1008 the credential has expired" {
		t.Errorf("closed by %s", got)
	}
}

// A reload, also one that changes the route and the listener, leaves a
// WebSocket alone; a stop ends it in a way that clients understand.
func TestWebSocketReloadAndStop(t *testing.T) {
	text := fmt.Sprintf(talking, talker(t))
	r := start(t, text, nil)
	d := dialer{t, r}
	c, resp := d.must("wss://" + r.secure() + "/echo")
	plain, _ := d.must("ws://" + r.address("127.0.0.1:00") + "/echo")
	for i := range 3 {
		r.configure(strings.Replace(text, `{address: "127.0.0.1:0", tls: {certificates: internal}}`, fmt.Sprintf(`{address: "127.0.0.1:0", tls: {certificates: internal}, limits: {idle-timeout: %ds}}`, 30+i), 1) + fmt.Sprintf("# %d\n", i))
		if err := r.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		say(t, c, "still here")
		say(t, plain, "still here")
	}
	stopped := make(chan struct{})
	go func() {
		r.stop()
		close(stopped)
	}()
	for _, c := range []*websocket.Conn{c, plain} {
		if got := closed(t, c); got != "1001 the gateway is stopping" {
			t.Errorf("closed by %s", got)
		}
	}
	<-stopped
	if line := r.logLine(resp.Header.Get("X-Amzn-Requestid")); !strings.Contains(line, `"end":"shutdown"`) {
		t.Errorf("the access log says %s", line)
	}
}

// When one end breaks off so does the other.
func TestWebSocketBreaks(t *testing.T) {
	service, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	r := start(t, `
listen: [{address: "127.0.0.1:00"}]
apis: {a: {authorize: none, routes: [{match: "GET /", target: "http://`+service.Addr().String()+`"}]}}
`, nil)
	const handshake = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
	join := func() (client, upstream *net.TCPConn, reader *bufio.Reader) {
		c, err := net.Dial("tcp", r.address("127.0.0.1:00"))
		if err != nil {
			t.Fatal(err)
		}
		// The client does not wait for the answer before it goes on.
		_, _ = io.WriteString(c, handshake+"\x81\x82\x01\x02\x03\x04ab")
		u, err := service.Accept()
		if err != nil {
			t.Fatal(err)
		}
		reader = bufio.NewReader(u)
		if _, err := http.ReadRequest(reader); err != nil {
			t.Fatal(err)
		}
		// Nor does the service.
		_, _ = io.WriteString(u, switched+"\x81\x02hi")
		for _, c := range []net.Conn{c, u} {
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		}
		return c.(*net.TCPConn), u.(*net.TCPConn), reader
	}
	client, upstream, reader := join()
	early := make([]byte, 8)
	if _, err := io.ReadFull(reader, early); err != nil || string(early) != "\x81\x82\x01\x02\x03\x04ab" {
		t.Errorf("the service got %q, %v", early, err)
	}
	answer := bufio.NewReader(client)
	resp, err := http.ReadResponse(answer, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	frame := make([]byte, 4)
	if _, err := io.ReadFull(answer, frame); err != nil || string(frame) != "\x81\x02hi" {
		t.Errorf("the client got %q, %v", frame, err)
	}
	// Halves close one after the other.
	_ = client.CloseWrite()
	if rest, err := io.ReadAll(reader); len(rest) > 0 || err != nil {
		t.Errorf("the service got %q, %v", rest, err)
	}
	_, _ = io.WriteString(upstream, "\x81\x03bye")
	_ = upstream.CloseWrite()
	if rest, err := io.ReadAll(answer); string(rest) != "\x81\x03bye" || err != nil {
		t.Errorf("the client got %q, %v", rest, err)
	}
	// A reset on one side ends the other.
	for _, first := range []int{0, 1} {
		client, upstream, _ := join()
		ends := []*net.TCPConn{client, upstream}
		_, _ = io.ReadFull(client, make([]byte, 20))
		_ = ends[first].SetLinger(0)
		_ = ends[first].Close()
		if _, err := io.Copy(io.Discard, ends[1-first]); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d: %v", first, err)
		}
	}
}

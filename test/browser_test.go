package test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browser is a headless Chromium that takes the gateway's certificates, and to
// which every host is this machine.
type browser struct {
	t    *testing.T
	ctx  context.Context
	port string
}

func startBrowser(t *testing.T, port string) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here: scripts/setup installs it")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("host-resolver-rules", "MAP * 127.0.0.1"),
		chromedp.WSURLReadTimeout(60 * time.Second),
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return &browser{t, ctx, port}
}

// run opens a page of a host and returns what a script, the body of an async
// function, comes to there. PORT stands for the gateway's.
func (b *browser) run(host, script string) string {
	b.t.Helper()
	script = "(async () => {" + strings.ReplaceAll(script, "PORT", b.port) + "})().catch(e => 'failed: ' + e)"
	if _, err := chromedp.Run(b.ctx, chromedp.Navigate("https://"+host+":"+b.port+"/page")); err != nil {
		b.t.Fatalf("%s: %v", host, err)
	}
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", host, err)
	}
	return got
}

const browsing = `
apis:
  api:
    domains: [api.test]
    authorize: none
    cors: {origins: ["https://pages.test:%[1]s"], expose: [x-total], headers: [content-type, x-grpc-web], credentials: true}
    routes:
      - {match: GET /page, target: "service:pages"}
      - {match: GET /echo, target: "service:talker"}
      - {match: GET /short, target: "service:talker", rewrite: /echo, websocket: {max-age: 1s}}
      - {match: GET /events, target: "service:ticker", timeout: 300ms}
      - {match: "ANY /data", target: "service:pages"}
      - {match: "POST /test.Talks/{method}", target: "service:talks"}
  pages:
    domains: [pages.test, evil.test]
    authorize: none
    routes: [{match: GET /page, target: "service:pages"}]
services:
  pages: {targets: ["%[2]s"]}
  talker: {targets: ["%[3]s"]}
  ticker: {targets: ["%[4]s"]}
  talks: {targets: ["%[5]s"], protocol: h2c}
`

func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a browser")
	}
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Total", "3")
		w.Header().Set("X-Hidden", "4")
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, "<!doctype html><title>%s</title>", r.Method)
	}))
	t.Cleanup(pages.Close)
	ticks := httptest.NewServer(ticker())
	t.Cleanup(ticks.Close)
	t.Cleanup(ticks.CloseClientConnections)
	_, _, talks := startTalks(t)
	port := freePort(t)
	start(t, `listen: [{address: "127.0.0.1:`+port+`", tls: {certificates: internal}}]`+
		fmt.Sprintf(browsing, port, pages.Listener.Addr(), talker(t), ticks.Listener.Addr(), talks), nil)
	b := startBrowser(t, port)

	const socket = `
return await new Promise(done => {
	const ws = new WebSocket('wss://api.test:PORT/%s');
	ws.onopen = () => ws.send('hello');
	ws.onmessage = e => { if (%v) { ws.close(4001, 'enough'); } };
	ws.onerror = () => done('refused');
	ws.onclose = e => done(e.code + ' ' + e.reason + ' ' + e.wasClean);
})`
	for _, tc := range []struct{ name, host, script, want string }{
		{"a WebSocket of the same origin", "api.test", fmt.Sprintf(socket, "echo", true), "4001 enough true"},
		{"a WebSocket of an origin that may", "pages.test", fmt.Sprintf(socket, "echo", true), "4001 enough true"},
		{"a WebSocket of an origin that may not", "evil.test", fmt.Sprintf(socket, "echo", true), "refused"},
		{"a WebSocket to its maximum age", "api.test", fmt.Sprintf(socket, "short", false), "1001 open for too long true"},
		{"events, for longer than the route's timeout", "pages.test", `
return await new Promise(done => {
	const source = new EventSource('https://api.test:PORT/events?every=100ms');
	let got = '';
	source.onmessage = e => { got += e.lastEventId + '=' + e.data + ' '; if (e.data === '9') { source.close(); done(got); } };
	source.onerror = e => { got += 'broken '; };
})`, "0=0 1=1 2=2 3=3 4=4 5=5 6=6 7=7 8=8 9=9 "},
		{"events for a page that may not read them", "evil.test", `
return await new Promise(done => {
	const source = new EventSource('https://api.test:PORT/events?every=100ms');
	source.onmessage = e => done('read ' + e.data);
	source.onerror = e => { source.close(); done('refused'); };
})`, "refused"},
		{"a simple request", "pages.test", `
const r = await fetch('https://api.test:PORT/data', {credentials: 'include'});
return r.status + ' ' + r.headers.get('x-total') + ' ' + r.headers.get('x-hidden') + ' ' + (await r.text()).includes('GET')`, "200 3 null true"},
		{"a request with a preflight", "pages.test", `
const r = await fetch('https://api.test:PORT/data', {method: 'PUT', headers: {'content-type': 'application/json'}, body: '{}'});
return r.status + ' ' + (await r.text()).includes('PUT')`, "200 true"},
		{"a header that was not granted", "pages.test", `
const r = await fetch('https://api.test:PORT/data', {method: 'PUT', headers: {'x-other': '1'}});
return 'read'`, "failed: TypeError: Failed to fetch"},
		{"another origin", "evil.test", `
const r = await fetch('https://api.test:PORT/data');
return 'read'`, "failed: TypeError: Failed to fetch"},
		{"a gRPC-Web call", "pages.test", `
const m = new Uint8Array([0, 0, 0, 0, 7, 0x0a, 5, 104, 101, 108, 108, 111]);
const r = await fetch('https://api.test:PORT/test.Talks/Unary', {method: 'POST', headers: {'content-type': 'application/grpc-web+proto', 'x-grpc-web': '1'}, body: m});
const p = new Uint8Array(await r.arrayBuffer());
const n = new DataView(p.buffer).getUint32(1);
return r.status + ' ' + new TextDecoder().decode(p.slice(7, 5 + n)) + ' ' + p[5 + n] + ' ' + new TextDecoder().decode(p.slice(10 + n)).includes('grpc-status:0')`, "200 hello 128 true"},
		{"a gRPC-Web stream", "pages.test", `
const r = await fetch('https://api.test:PORT/test.Talks/Down', {method: 'POST', headers: {'content-type': 'application/grpc-web-text', 'x-grpc-web': '1'}, body: btoa('\0\0\0\0\x07\x0a\x055 100')});
const reader = r.body.getReader();
let pieces = 0;
for (;;) { const {done} = await reader.read(); if (done) break; pieces++; }
return r.status + ' ' + (pieces >= 5)`, "200 true"},
		{"a gRPC-Web call that the gateway refuses", "pages.test", `
const r = await fetch('https://api.test:PORT/data', {method: 'POST', headers: {'content-type': 'application/grpc-web-text', 'x-grpc-web': '1'}, body: '!!!!'});
return '' + r.status`, "200"},
	} {
		if got := b.run(tc.host, tc.script); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

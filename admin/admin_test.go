package admin

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/config"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// fake is a Gateway that does as it is told.
type fake struct {
	ready    error
	broken   error
	reloads  atomic.Int64
	reopened atomic.Int64
}

type problems []config.Problem

func (p problems) Error() string              { return "the configuration is broken" }
func (p problems) Problems() []config.Problem { return p }

func (f *fake) Ready() error { return f.ready }
func (f *fake) Status() any {
	return map[string]any{"generation": 3, "odd": "\u009b\u202e\x7f\U000f0000"}
}
func (f *fake) Routes() any      { return []string{"GET /orders/{id}"} }
func (f *fake) Recent(n int) any { return n }
func (f *fake) Certificates() any {
	return []string{"api.shop.test"}
}
func (f *fake) Plan(_ context.Context, file string) (any, error) {
	return "nothing of " + file, f.broken
}
func (f *fake) Reload(context.Context) (any, error) {
	f.reloads.Add(1)
	return "done", f.broken
}
func (f *fake) TakeOver(conn *net.UnixConn)                     { _ = conn.Close() }
func (f *fake) Restart(context.Context) error                   { return f.broken }
func (f *fake) ServeAWS(w http.ResponseWriter, r *http.Request) { write(w, http.StatusOK, "signed") }
func (f *fake) IdentityKeys() any                               { return "keys" }
func (f *fake) ReopenLogs() error {
	f.reopened.Add(1)
	return f.broken
}
func (f *fake) Explain(id string) (any, bool) {
	return map[string]string{"requestId": id}, id == "known"
}

// pages answer with what they are.
func pages() Pages {
	said := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = io.WriteString(w, text+string(body)+"\n")
		})
	}
	return Pages{Metrics: metrics(), Prometheus: said("asked "), Push: said("pushed "), CloudWatch: said("translated ")}
}

func metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "gatehouse_up 1\n") })
}

// certificate returns a self-signed certificate for a name and an address.
func certificate(t *testing.T) (cert, key []byte, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gw"}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"gw1.internal"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), roots
}

func listen(t *testing.T, c Config, g Gateway) *Listener {
	t.Helper()
	c.Address = "127.0.0.1:0"
	s, err := c.Settings()
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(c.Address, nil, s, g, pages(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	l.Serve(s)
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return l
}

type question struct {
	method, path, host string
	header             http.Header
	body               string
}

func ask(t *testing.T, l *Listener, client *http.Client, scheme string, q question) (*http.Response, string) {
	t.Helper()
	if q.method == "" {
		q.method = "GET"
	}
	r, err := http.NewRequest(q.method, scheme+"://"+l.Addr().String()+q.path, strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = q.host
	for k, v := range q.header {
		r.Header[k] = v
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, strings.TrimSpace(string(body))
}

func plainClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

func TestQueries(t *testing.T) {
	g := &fake{}
	l := listen(t, Config{}, g)
	for _, tc := range []struct {
		q      question
		status int
		body   string
	}{
		{question{path: "/healthz"}, 200, `{"status":"ok"}`},
		{question{path: "/readyz"}, 200, `{"status":"ready"}`},
		{question{path: "/healthz", method: "HEAD"}, 200, ``},
		{question{path: "/metrics"}, 200, "gatehouse_up 1"},
		{question{path: "/v1/routes"}, 200, `["GET /orders/{id}"]`},
		{question{path: "/v1/certificates"}, 200, `["api.shop.test"]`},
		{question{path: "/v1/status"}, 200, `{"generation":3,"odd":"\u009b\u202e\u007f\udb80\udc00"}`},
		{question{path: "/v1/requests/known"}, 200, `{"requestId":"known"}`},
		{question{path: "/v1/requests/else"}, 404, ""},
		{question{path: "/v1/requests"}, 200, "50"},
		{question{path: "/v1/requests?n=7"}, 200, "7"},
		{question{path: "/v1/requests?n=0"}, 400, ""},
		{question{path: "/v1/requests?n=x"}, 400, ""},
		{question{path: "/v1/requests?n=100000"}, 400, ""},
		{question{path: "/"}, 404, ""},
		{question{path: "/v1/reload"}, 404, ""},
	} {
		answer, body := ask(t, l, plainClient(), "http", tc.q)
		if answer.StatusCode != tc.status || tc.body != "" && body != tc.body {
			t.Errorf("%s %s: %d %s", tc.q.method, tc.q.path, answer.StatusCode, body)
		}
		for _, h := range []string{"X-Content-Type-Options", "X-Frame-Options", "Content-Security-Policy", "Cache-Control", "Cross-Origin-Resource-Policy"} {
			if answer.Header.Get(h) == "" {
				t.Errorf("%s: no %s", tc.q.path, h)
			}
		}
		if tc.status >= 400 && !strings.HasPrefix(body, `{"message":"`) {
			t.Errorf("%s: %s", tc.q.path, body)
		}
	}
	g.ready = errors.New("draining")
	if answer, body := ask(t, l, plainClient(), "http", question{path: "/readyz"}); answer.StatusCode != 503 || body != `{"message":"draining"}` {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
	if g.reloads.Load() != 0 {
		t.Error("the admin listener reloaded")
	}
}

// What a web page can make a browser send is refused.
func TestGuard(t *testing.T) {
	l := listen(t, Config{}, &fake{})
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, tc := range []struct {
		name   string
		q      question
		status int
	}{
		{"its address", question{}, 200},
		{"localhost", question{host: "localhost:" + port}, 200},
		{"LOCALHOST.", question{host: "LOCALHOST."}, 200},
		{"another loopback address", question{host: "127.1.2.3:80"}, 200},
		{"IPv6 loopback", question{host: "[::1]:" + port}, 200},
		{"a rebound name", question{host: "evil.test:" + port}, 421},
		{"a name that looks like it", question{host: "localhost.evil.test"}, 421},
		{"another address", question{host: "192.0.2.1:" + port}, 421},
		{"an origin", question{header: http.Header{"Origin": {"http://localhost"}}}, 403},
		{"a null origin", question{header: http.Header{"Origin": {"null"}}}, 403},
		{"an empty origin", question{header: http.Header{"Origin": {""}}}, 403},
		{"a form of another site", question{header: http.Header{"Sec-Fetch-Site": {"cross-site"}}}, 403},
		{"another port's page", question{header: http.Header{"Sec-Fetch-Site": {"same-site"}}}, 403},
		{"typed by hand", question{header: http.Header{"Sec-Fetch-Site": {"none"}}}, 200},
		{"a change", question{method: "POST", path: "/v1/reload"}, 405},
		{"a deletion", question{method: "DELETE"}, 405},
		{"a preflight", question{method: "OPTIONS"}, 405},
		{"a body", question{body: "x"}, 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.q.path == "" {
				tc.q.path = "/v1/routes"
			}
			if answer, body := ask(t, l, plainClient(), "http", tc.q); answer.StatusCode != tc.status {
				t.Errorf("%d %s, want %d", answer.StatusCode, body, tc.status)
			}
		})
	}
}

func TestTLSAndToken(t *testing.T) {
	cert, key, roots := certificate(t)
	const token = "0123456789abcdef01234567"
	c := Config{TLS: &TLS{Cert: config.File{Path: "c", Content: cert}, Key: config.File{Path: "k", Content: key}}, Token: config.NewSecret(token)}
	l := listen(t, c, &fake{})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	bearer := func(s ...string) http.Header { return http.Header{"Authorization": s} }
	for _, tc := range []struct {
		name   string
		q      question
		status int
	}{
		{"with it", question{header: bearer("Bearer " + token)}, 200},
		{"any case", question{header: bearer("bearer " + token)}, 200},
		{"a name of the certificate", question{header: bearer("Bearer " + token), host: "gw1.internal:9901"}, 200},
		{"another name", question{header: bearer("Bearer " + token), host: "gw2.internal"}, 421},
		{"without", question{}, 401},
		{"health without", question{path: "/healthz"}, 401},
		{"wrong", question{header: bearer("Bearer " + token + "x")}, 401},
		{"empty", question{header: bearer("Bearer ")}, 401},
		{"basic", question{header: bearer("Basic " + token)}, 401},
		{"twice", question{header: bearer("Bearer "+token, "Bearer "+token)}, 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.q.path == "" {
				tc.q.path = "/v1/routes"
			}
			answer, body := ask(t, l, client, "https", tc.q)
			if answer.StatusCode != tc.status || tc.status == 401 && answer.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%d %s, want %d", answer.StatusCode, body, tc.status)
			}
		})
	}
	if answer, err := plainClient().Get("http://" + l.Addr().String() + "/healthz"); err == nil && answer.StatusCode == 200 {
		t.Error("answered without TLS")
	}
	// Another token holds from the next request on.
	c.Token = config.NewSecret("another-token-of-24-char")
	s, err := c.Settings()
	if err != nil {
		t.Fatal(err)
	}
	l.Serve(s)
	if answer, _ := ask(t, l, client, "https", question{path: "/healthz", header: bearer("Bearer " + token)}); answer.StatusCode != 401 {
		t.Errorf("the old token still holds: %d", answer.StatusCode)
	}
}

func TestConfig(t *testing.T) {
	type document struct {
		config.At
		Admin Config `yaml:"admin" doc:"x"`
	}
	for _, tc := range []struct{ yaml, problem string }{
		{"admin: {}", ""},
		{"admin: {address: off}", ""},
		{"admin: {address: 'localhost:0'}", ""},
		{"admin: {address: '[::1]:9901'}", ""},
		{"admin: {address: '127.0.0.1:9901', token: 0123456789abcdef01234567}", ""},
		{"admin: {address: '127.0.0.1:9901', token: s3cr3t}", "too short"},
		{"admin: {address: ':9901'}", "give it tls and token"},
		{"admin: {address: '0.0.0.0:9901'}", "give it tls and token"},
		{"admin: {address: '0.0.0.0:9901', token: 0123456789abcdef01234567}", "give it tls and token"},
		{"admin: {address: 'gw1.internal:9901'}", "give it tls and token"},
		{"admin: {address: '127.0.0.1'}", "no HOST:PORT"},
		{"admin: {adress: off}", "did you mean"},
	} {
		var d document
		_, err := config.LoadBytes("g.yaml", []byte(tc.yaml), &d, config.Options{})
		switch {
		case tc.problem == "" && err != nil:
			t.Errorf("%s: %v", tc.yaml, err)
		case tc.problem != "" && (err == nil || !strings.Contains(err.Error(), tc.problem)):
			t.Errorf("%s: %v, want %q", tc.yaml, err, tc.problem)
		}
		if err != nil && strings.Contains(err.Error(), "0123456789abcdef") && tc.problem != "too short" {
			t.Errorf("the token is printed: %v", err)
		}
	}
	broken := Config{TLS: &TLS{Cert: config.File{Path: "c", Content: []byte("x")}, Key: config.File{Path: "k"}}}
	var r config.Report
	broken.Check(&r)
	if len(r.Problems()) == 0 {
		t.Error("a broken certificate passes the check")
	}
	if _, err := broken.Settings(); err == nil {
		t.Error("a broken certificate compiles")
	}
	if address, ok := (Config{}).Listens(); address != DefaultAddress || !ok {
		t.Errorf("by default: %s %v", address, ok)
	}
}

// Questions about metrics may be sent as forms, and pushes come with a credential that
// their page asks for; nothing else takes a body.
func TestPagesWithBodies(t *testing.T) {
	const token = "0123456789012345678901"
	l := listen(t, Config{Token: config.NewSecret(token)}, &fake{})
	for _, tc := range []struct {
		path, contentType, token string
		status                   int
		want                     string
	}{
		{"/api/v1/query", "application/x-www-form-urlencoded", token, 200, "asked query=1"},
		{"/api/v1/query", "application/x-www-form-urlencoded", "", 401, "admin token"},
		{"/api/v1/query", "application/json", token, 405, "only answers questions"},
		{"/v1/metrics/push", "text/plain", "", 200, "pushed query=1"},
		{"/v1/status", "application/x-www-form-urlencoded", token, 405, "only answers questions"},
		{"/v1/reload", "application/x-www-form-urlencoded", token, 405, "only answers questions"},
	} {
		r, err := http.NewRequest("POST", "http://"+l.Addr().String()+tc.path, strings.NewReader("query=1"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", tc.contentType)
		if tc.token != "" {
			r.Header.Set("Authorization", "Bearer "+tc.token)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != tc.status || !strings.Contains(string(body), tc.want) {
			t.Errorf("%s as %s: %d %s", tc.path, tc.contentType, resp.StatusCode, body)
		}
	}
	r, _ := http.NewRequest("POST", "http://"+l.Addr().String()+"/v1/metrics/push?job=x", strings.NewReader("x 1\n"))
	r.Header.Set("Origin", "http://evil.test")
	if resp, err := http.DefaultClient.Do(r); err != nil || resp.StatusCode != 403 {
		t.Errorf("a web page pushes: %v %v", resp, err)
	}
}

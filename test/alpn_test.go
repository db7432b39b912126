package test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// agreeing is a service behind TLS that agrees to some protocols. It says by
// which it was asked, and takes WebSockets at /echo.
func agreeing(t *testing.T, cert, key []byte, http1, http2 bool) string {
	t.Helper()
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/echo" {
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			kind, p, _ := c.Read(r.Context())
			_ = c.Write(r.Context(), kind, p)
			_ = c.Close(websocket.StatusNormalClosure, "")
			return
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.Proto, r.Host, body)
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(http1)
	s.Config.Protocols.SetHTTP2(http2)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.EnableHTTP2 = http2
	if !http1 {
		s.TLS.NextProtos = []string{"h2"}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// What is spoken to a service is what both agree on, and nothing else where
// that was said.
func TestServiceProtocols(t *testing.T) {
	cert, key := testCertificate(t)
	both, one, two := agreeing(t, cert, key, true, true), agreeing(t, cert, key, true, false), agreeing(t, cert, key, false, true)
	var routes, services strings.Builder
	for _, protocol := range []string{"http/1.1", "h2", "auto"} {
		for name, address := range map[string]string{"both": both, "one": one, "two": two} {
			name = strings.NewReplacer("/", "", ".", "").Replace(protocol) + "-" + name
			fmt.Fprintf(&routes, "      - {match: \"ANY /%[1]s/{rest+}\", target: \"service:%[1]s\", rewrite: \"/{rest}\"}\n", name)
			fmt.Fprintf(&services, "  %s: {targets: [\"%s\"], protocol: %s, tls: {ca: ca.pem, server-name: localhost}}\n", name, address, protocol)
		}
	}
	r := start(t, "apis:\n  a:\n    domains: [localhost, 127.0.0.1]\n    authorize: none\n    routes:\n"+routes.String()+"services:\n"+services.String(), map[string][]byte{"ca.pem": cert})
	d := dialer{t, r}
	for name, want := range map[string]string{
		"http11-both": "HTTP/1.1", "http11-one": "HTTP/1.1", "http11-two": "502",
		"h2-both": "HTTP/2.0", "h2-one": "502", "h2-two": "HTTP/2.0",
		"auto-both": "HTTP/2.0", "auto-one": "HTTP/1.1", "auto-two": "HTTP/2.0",
	} {
		for _, p := range protocols {
			for range 2 { // over a new connection, and over one that is kept
				a := p.send(t, r, message{method: "POST", target: "/" + name + "/x", host: "localhost", body: "body"})
				got := strings.TrimSpace(a.body)
				if a.status != 200 {
					got = fmt.Sprint(a.status)
				} else if !strings.HasSuffix(got, " localhost body") {
					t.Errorf("%s over %s: %q", name, p.name, got)
				}
				if !strings.HasPrefix(got, want) {
					t.Errorf("%s over %s: %q, want %s", name, p.name, got, want)
				}
			}
		}
		c, _, err := d.dial("wss://" + r.secure() + "/" + name + "/echo")
		if fine := strings.HasSuffix(name, "-both") && name != "h2-both" || strings.HasSuffix(name, "-one") && name != "h2-one"; fine != (err == nil) {
			t.Errorf("%s: a WebSocket: %v", name, err)
		}
		if err == nil {
			say(t, c, "hello")
		}
	}
}

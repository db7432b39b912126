package edge

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/config"
)

// load reads the text of a `listen:` section.
func loadListeners(t *testing.T, text string, files map[string][]byte) ([]Listener, []string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var whole struct {
		Listen []Listener `yaml:"listen" doc:"addresses"`
	}
	_, err := config.LoadBytes(filepath.Join(dir, "gatehouse.yaml"), []byte(text), &whole, config.Options{})
	var found []string
	var all *config.Errors
	if errors.As(err, &all) {
		for _, p := range all.Problems() {
			found = append(found, fmt.Sprintf("%d: %s", p.Pos.Line, p.Message))
		}
	} else if err != nil {
		t.Fatal(err)
	}
	var report config.Report
	if err == nil {
		Compile(whole.Listen, Compilation{Now: time.Now()}, &report)
	}
	for _, p := range report.Problems() {
		found = append(found, fmt.Sprintf("%d: %s", p.Pos.Line, p.Message))
	}
	return whole.Listen, found
}

func TestDefaults(t *testing.T) {
	got, wrong := loadListeners(t, "listen:\n  - tls: {}\n  - {address: 'localhost:0'}\n", nil)
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	want := listenerConfig(withTLS())
	if l := got[0]; l.Address != ":8443" || l.TLS.MinVersion != "1.2" || l.TLS.HSTS != want.TLS.HSTS || l.TLS.HandshakeTimeout != want.TLS.HandshakeTimeout {
		t.Errorf("%+v %+v", l, l.TLS)
	}
	for _, l := range got {
		l.Limits.At, l.HTTP2.At = config.At{}, config.At{}
		if fmt.Sprint(l.Limits) != fmt.Sprint(want.Limits) || fmt.Sprint(l.HTTP2) != fmt.Sprint(want.HTTP2) || l.ProxyProtocol != "off" || l.ClientAddress != "x-forwarded-for" {
			t.Errorf("%+v", l)
		}
	}
	if got[1].TLS != nil {
		t.Error("TLS without tls")
	}
}

func TestEveryKey(t *testing.T) {
	pair := certFor(t, "a.test")
	got, wrong := loadListeners(t, `
listen:
  - address: "127.0.0.1:8443"
    tls:
      certificates:
        - {cert: cert.pem, key: key.pem}
        - internal
      min-version: "1.3"
      hsts: 0s
      handshake-timeout: 3s
    limits: {body: 0, header: 32KiB, header-timeout: 5s, body-timeout: 0s, body-rate: 0, write-timeout: 0s, idle-timeout: 2m, connections: 5, connections-per-address: 2}
    trusted-proxies: [10.0.0.0/8, 192.0.2.1, "2001:db8::/32", "::ffff:10.1.0.0/112"]
    proxy-protocol: require
    client-address: forwarded
    http2: {max-streams: 7}
  - {address: ":8080", redirect: "https:443"}
  - {address: ":8081", tls: {certificates: internal}}
  - {address: ":8082", tls: {certificates: {cert: cert.pem, key: key.pem}}}
`, map[string][]byte{"cert.pem": pair.Cert.Content, "key.pem": pair.Key.Content})
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	l := got[0]
	c := l.TLS.Certificates
	if !c.Internal || c.First || len(c.Files) != 1 || string(c.Files[0].Key.Content) != string(pair.Key.Content) {
		t.Errorf("%+v", c)
	}
	if fmt.Sprint(l.TrustedProxies) != "[10.0.0.0/8 192.0.2.1/32 2001:db8::/32 10.1.0.0/16]" {
		t.Errorf("%v", l.TrustedProxies)
	}
	if l.Limits.Header != 32<<10 || l.HTTP2.Streams != 7 || l.ClientAddress != "forwarded" || l.TLS.MinVersion != "1.3" {
		t.Errorf("%+v", l)
	}
	if got[1].Redirect != (HTTPSRedirect{true, 443}) {
		t.Errorf("%+v", got[1].Redirect)
	}
	if c := got[2].TLS.Certificates; !c.Internal || !c.First {
		t.Errorf("%+v", c)
	}
	if c := got[3].TLS.Certificates; c.Internal || len(c.Files) != 1 {
		t.Errorf("%+v", c)
	}
}

func TestMistakes(t *testing.T) {
	pair, stranger := certFor(t, "a.test"), certFor(t, "b.test")
	files := map[string][]byte{"cert.pem": pair.Cert.Content, "key.pem": pair.Key.Content, "other.pem": stranger.Key.Content, "empty.pem": nil}
	for text, want := range map[string]string{
		`{address: "8443"}`:                                         `the address "8443" is not HOST:PORT: missing port in address`,
		`{address: ":http"}`:                                        `the port is a number between 0 and 65535`,
		`{address: ":99999"}`:                                       `the port is a number between 0 and 65535`,
		`{address: "::1:80"}`:                                       `too many colons`,
		`{tls: {}, redirect: https}`:                                `a listener with tls cannot redirect`,
		`{redirect: https}`:                                         `no listener has tls`,
		`{redirect: http}`:                                          `redirects to https`,
		`{redirect: "https:0"}`:                                     `no port between 1 and 65535`,
		`{redirect: "https:x"}`:                                     `no port between 1 and 65535`,
		`{proxy-protocol: accept}`:                                  `needs trusted-proxies`,
		`{proxy-protocol: maybe}`:                                   `maybe`,
		`{trusted-proxies: [10.0.0.1/8]}`:                           `did you mean 10.0.0.0/8`,
		`{trusted-proxies: [nonsense]}`:                             `no IP address or prefix`,
		`{trusted-proxies: ["fe80::1%eth0"]}`:                       `no IP address or prefix`,
		`{trusted-proxies: ["::ffff:0.0.0.0/90"]}`:                  `mixes IPv4 and IPv6`,
		`{limits: {header: 1KiB}}`:                                  `8KiB`,
		`{limits: {header: 2MiB}}`:                                  `1MiB`,
		`{limits: {header-timeout: 0s}}`:                            `1ms`,
		`{limits: {write-timeout: 10ms}}`:                           `at least 1s`,
		`{limits: {body-timeout: 0s, body-rate: 100}}`:              `needs a body-timeout`,
		`{limits: {connections: 0}}`:                                `1`,
		`{tls: {hsts: 10ms}}`:                                       `whole seconds`,
		`{tls: {min-version: "1.1"}}`:                               `1.2`,
		`{tls: {certificates: public}}`:                             `certificates are internal, acme, or`,
		`{tls: {certificates: []}}`:                                 `no certificate is named`,
		`{tls: {certificates: [{cert: cert.pem}]}}`:                 `key`,
		`{tls: {certificates: [{cert: cert.pem, key: none.pem}]}}`:  `none.pem`,
		`{tls: {certificates: [{cert: cert.pem, key: other.pem}]}}`: `does not belong to the certificate`,
		`{tls: {certificates: [{cert: empty.pem, key: key.pem}]}}`:  `no readable certificate`,
		`{tls: {certifcates: internal}}`:                            `certifcates`,
	} {
		_, wrong := loadListeners(t, "listen:\n  - "+text+"\n", files)
		all := strings.Join(wrong, "\n")
		if len(wrong) != 1 || !strings.Contains(all, want) || !strings.HasPrefix(all, "2: ") {
			t.Errorf("%s:\nwant 2: ... %s\ngot  %s", text, want, all)
		}
	}
	_, wrong := loadListeners(t, "listen:\n  - {address: ':1'}\n  - {address: ':1'}\n", nil)
	if len(wrong) != 1 || !strings.Contains(wrong[0], "3: the address :1 is already listened on at") {
		t.Error(wrong)
	}
}

func TestSchema(t *testing.T) {
	text := config.DocumentSchema(struct {
		Listen []Listener `yaml:"listen" doc:"addresses"`
	}{}, "test")
	if !json.Valid(text) {
		t.Fatalf("%s", text)
	}
	for _, want := range []string{`"trusted-proxies"`, `"internal"`, `"cert"`, `"max-streams"`, `"redirect"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

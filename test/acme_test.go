package test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letsencrypt/challtestsrv"

	"gatehouse"
	"gatehouse/test/pebble"
)

// acmeHouse is a gateway whose certificates come from a CA in this process.
type acmeHouse struct {
	*running
	ca                *pebble.CA
	secureAt, plainAt string
}

// withCA starts a CA and a gateway. The configuration's {{ca}} stands for
// directory, ca, email and agree; {{listen}} for an HTTPS listener with
// certificates: acme and one that redirects to it.
func withCA(t *testing.T, o pebble.Options, text string, files map[string][]byte, before ...func(*pebble.CA)) *acmeHouse {
	t.Helper()
	secure, plain := pebble.FreePort(t), pebble.FreePort(t)
	o.TLSPort, _ = strconv.Atoi(secure)
	o.HTTPPort, _ = strconv.Atoi(plain)
	h := &acmeHouse{ca: pebble.Start(t, o), secureAt: "127.0.0.1:" + secure, plainAt: "127.0.0.1:" + plain}
	for _, f := range before {
		f(h.ca)
	}
	all := map[string][]byte{"pebble.pem": h.ca.PEM}
	for name, content := range files {
		all[name] = content
	}
	h.running = start(t, h.fill(text), all)
	return h
}

func (h *acmeHouse) fill(text string) string {
	return strings.NewReplacer(
		"{{ca}}", fmt.Sprintf("directory: %q, ca: pebble.pem, email: ops@shop.test, agree: true", h.ca.Directory),
		"{{listen}}", fmt.Sprintf(`listen: [{address: %q, tls: {certificates: acme}}, {address: %q, redirect: https}]`, h.secureAt, h.plainAt),
		"{{secure}}", h.secureAt, "{{plain}}", h.plainAt,
	).Replace(text)
}

// again replaces the configuration and reloads.
func (h *acmeHouse) again(text string) error {
	h.configure(h.fill(text))
	return h.Reload(h.t.Context())
}

// shows returns the certificate that a client which asks for a name is shown.
func (h *acmeHouse) shows(name string) *x509.Certificate {
	h.t.Helper()
	conn, err := tls.Dial("tcp", h.secureAt, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

// trusted reports whether a client that trusts the CA alone takes what it is
// shown for a name.
func (h *acmeHouse) trusted(name string) bool {
	conn, err := tls.Dial("tcp", h.secureAt, &tls.Config{ServerName: name, RootCAs: h.ca.Roots})
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// await waits for what the gateway does by itself.
func (h *acmeHouse) await(what string, ok func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("never: %s\n%s", what, h.log)
		}
	}
}

func (h *acmeHouse) awaitTrusted(names ...string) {
	h.t.Helper()
	for _, name := range names {
		h.await("a certificate for "+name, func() bool { return h.trusted(name) })
	}
}

// certificate returns what the gateway tells of a name.
func (h *acmeHouse) certificate(name string) gatehouse.CertificateInfo {
	h.t.Helper()
	for _, c := range h.Certificates() {
		if c.Source == "acme" && c.Names[0] == name {
			return c
		}
	}
	h.t.Fatalf("nothing is known of %s", name)
	return gatehouse.CertificateInfo{}
}

const mockAPI = "\napis: {a: {domains: [%s], authorize: none, routes: [{match: \"ANY /{proxy*}\", target: mock}]}}\n"

// Each kind of challenge brings a certificate, over the gateway's own listeners.
func TestACMEChallenges(t *testing.T) {
	t.Run("tls-alpn-01", func(t *testing.T) {
		h := withCA(t, pebble.Options{}, "{{listen}}\nacme: {{{ca}}, challenges: tls-alpn-01}"+fmt.Sprintf(mockAPI, "a.alpn.test, b.alpn.test"), nil)
		h.awaitTrusted("a.alpn.test", "b.alpn.test")
		if h.ca.Accounts() != 1 {
			t.Errorf("registered %d times", h.ca.Accounts())
		}
	})
	t.Run("http-01", func(t *testing.T) {
		h := withCA(t, pebble.Options{}, "{{listen}}\nacme: {{{ca}}, challenges: [http-01]}"+fmt.Sprintf(mockAPI, "a.http.test"), nil)
		h.awaitTrusted("a.http.test")
		found := h.accessLog("acme-challenge")
		if !strings.Contains(found, `"status":200`) || !strings.Contains(found, "GET /.well-known/acme-challenge/{token}") {
			t.Errorf("the access log says of the challenge %q", found)
		}
	})
	t.Run("dns-01 by a command", func(t *testing.T) {
		dns := newRecords(t)
		h := withCA(t, pebble.Options{}, "{{listen}}\nacme: {{{ca}}, dns: {command: [./set-txt, --flag], environment: {RECORDS: "+dns.URL+"}, wait: 0s}}"+
			fmt.Sprintf(mockAPI, `"*.dns.test", deep.under.dns.test, sub.dns.test`), map[string][]byte{"set-txt": []byte(
			"#!/bin/sh\n[ \"$1\" = --flag ] && [ -z \"$SECRET_OF_THE_GATEWAY\" ] || exit 9\nexec curl -sf --data \"{\\\"action\\\":\\\"$2\\\",\\\"name\\\":\\\"$3\\\",\\\"value\\\":\\\"$4\\\"}\" \"$RECORDS\"\n")},
			dns.into)
		h.awaitTrusted("x.dns.test", "sub.dns.test", "deep.under.dns.test")
		if got := h.shows("sub.dns.test").DNSNames; len(got) != 1 || got[0] != "*.dns.test" {
			t.Errorf("what the wildcard covers got a certificate of its own: %v", got)
		}
		dns.cleaned(t)
	})
	t.Run("dns-01 by a webhook", func(t *testing.T) {
		dns := newRecords(t)
		t.Setenv("HOOK_TOKEN", "tiger-and-lion")
		h := withCA(t, pebble.Options{}, "{{listen}}\nacme: {{{ca}}, challenges: dns-01, dns: {webhook: "+dns.URL+", token: \"${env:HOOK_TOKEN}\", wait: 0s}}"+fmt.Sprintf(mockAPI, `"*.hook.test"`), nil, dns.into)
		h.awaitTrusted("x.hook.test")
		dns.cleaned(t)
		if dns.authorization != "Bearer tiger-and-lion" || strings.Contains(h.log.String(), "tiger") {
			t.Errorf("the webhook got %q; the log:\n%s", dns.authorization, h.log)
		}
	})
}

// records stands between a hook and the CA's DNS.
type records struct {
	*httptest.Server
	mu            sync.Mutex
	dns           *challtestsrv.ChallSrv
	set, removed  []string
	authorization string
}

func newRecords(t *testing.T) *records {
	r := &records{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *records) into(ca *pebble.CA) { r.dns = ca.DNS }

func (r *records) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var call struct{ Action, Domain, Name, Value string }
	if err := json.NewDecoder(req.Body).Decode(&call); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.authorization = req.Header.Get("Authorization")
	switch call.Action {
	case "present":
		r.dns.AddDNSTXTRecord(call.Name, call.Value)
		r.set = append(r.set, call.Name+call.Value)
	case "cleanup":
		r.dns.DeleteDNSTXTRecord(call.Name)
		r.removed = append(r.removed, call.Name+call.Value)
	}
}

// cleaned holds that every record that was set was removed again.
func (r *records) cleaned(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.set)
	slices.Sort(r.removed)
	if len(r.set) == 0 || !slices.Equal(r.set, r.removed) {
		t.Errorf("set %v, removed %v", r.set, r.removed)
	}
}

// accessLog waits for a line of the access log that holds a text.
func (h *acmeHouse) accessLog(text string) (line string) {
	h.t.Helper()
	h.await("a line of the access log", func() bool {
		data, _ := os.ReadFile(filepath.Join(h.dir, "access.log"))
		for l := range strings.Lines(string(data)) {
			if strings.Contains(l, text) {
				line = l
			}
		}
		return line != ""
	})
	return line
}

package test

import (
	"crypto/tls"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse"
	"gatehouse/admin"
	"gatehouse/test/pebble"
)

// Certificates are obtained for the names of the configuration, and served to
// clients that ask for these, whatever others ask for.
func TestACMEServesConfiguredNamesAlone(t *testing.T) {
	cert, key := testCertificate(t) // for localhost
	h := withCA(t, pebble.Options{}, `
listen:
  - {address: "{{secure}}", tls: {certificates: [acme, {cert: cert.pem, key: key.pem}]}}
  - {address: "{{plain}}"}
  - {address: "127.0.0.1:0", tls: {certificates: internal}}
acme: {{{ca}}, challenges: [tls-alpn-01]}
apis: {a: {domains: [a.names.test, localhost, 127.0.0.1], authorize: none, routes: [{match: "ANY /{proxy*}", target: mock}]}}
`, map[string][]byte{"cert.pem": cert, "key.pem": key})
	h.awaitTrusted("a.names.test")
	for _, name := range []string{"evil.test", "b.names.test", "x.a.names.test"} {
		if got := h.shows(name).DNSNames; !slices.Contains(got, "localhost") {
			t.Errorf("%s is shown %v", name, got)
		}
	}
	if got := h.shows("A.Names.Test").DNSNames; got[0] != "a.names.test" {
		t.Errorf("in other letters: %v", got)
	}
	conn, err := tls.Dial("tcp", h.secureAt, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := conn.ConnectionState().PeerCertificates[0]; slices.Contains(got.DNSNames, "a.names.test") {
		t.Error("who asks for no name is told one")
	}
	conn.Close()
	if got := h.Certificates(); len(got) < 4 || got[0].Names[0] != "a.names.test" || got[1].Source != "file" || got[2].Source != "internal" {
		t.Errorf("%+v", got)
	}
	if n := h.ca.Orders(); n != 1 {
		t.Errorf("%d orders", n)
	}
	// A CA's question over TLS, from somebody who is none.
	if _, err := tls.Dial("tcp", h.secureAt, &tls.Config{ServerName: "a.names.test", NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true}); err == nil {
		t.Error("a challenge is shown though none is under way")
	}
	if a := raw(t, h.plainAt, "GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: a.names.test\r\nConnection: close\r\n\r\n"); a.status != 200 {
		t.Errorf("without http-01 the path is the API's: %d", a.status)
	}
}

// The path of http-01 is the gateway's own on plain listeners, for names that
// are to be proven: in front of the redirect, of routes and of their filters.
func TestACMEOwnsItsPath(t *testing.T) {
	h := withCA(t, pebble.Options{}, `
listen:
  - {address: "{{secure}}", tls: {certificates: acme}}
  - {address: "{{plain}}", redirect: https}
  - {address: "127.0.0.1:0"}
throttle: {rate: 1/h, burst: 3, per: ip}
acme: {{{ca}}, challenges: [http-01]}
apis:
  a: {domains: [a.path.test], authorize: none, routes: [{match: "ANY /{proxy*}", target: mock}]}
  rest: {authorize: none, routes: [{match: "ANY /{proxy*}", target: mock}]}
`, nil)
	h.ca.SetDown(true)
	served := h.address("127.0.0.1:0")
	ask := func(address, line, host string) answer {
		// From where the CA, which may have asked before it was down, does not come from.
		return rawFrom(t, bystander, address, line+" HTTP/1.1\r\nHost: "+host+"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	}
	for _, tc := range []struct {
		address, line, host string
		status              int
	}{
		{h.plainAt, "GET /.well-known/acme-challenge/unknown", "a.path.test", 404},
		{served, "POST /.well-known/acme-challenge/unknown", "a.path.test", 405},
		{h.plainAt, "GET /.well-known/acme-challenge/", "a.path.test", 301}, // no token: not what a CA asks for
		{h.plainAt, "GET /.well-known/acme-challenge/a/b", "a.path.test", 301},
		{h.plainAt, "GET /.well-known/acme-challenge/x", "other.path.test", 301},
		{served, "GET /.well-known/acme-challenge/x", "other.path.test", 200},
		{served, "GET /.well-known/acme-challenge/..%2fx", "a.path.test", 400},
		{served, "GET /.well-known/acme-challenge/unknown", "a.path.test", 429}, // strangers pay here too
	} {
		if a := ask(tc.address, tc.line, tc.host); a.status != tc.status {
			t.Errorf("%s of %s: %d %v, want %d", tc.line, tc.host, a.status, a.err, tc.status)
		}
	}
}

// Routes that would never be asked are errors, and so is all that cannot come to
// a certificate.
func TestACMEChecks(t *testing.T) {
	const listen = "listen: [{address: \"127.0.0.1:0\", tls: {certificates: acme}}, {address: \"127.0.0.1:00\", redirect: https}]\n"
	const tlsOnly = "listen: [{address: \"127.0.0.1:0\", tls: {certificates: [acme]}}]\n"
	const section = "acme: {email: ops@shop.test, agree: true}\n"
	api := func(domains, path string) string {
		return fmt.Sprintf("apis: {a: {domains: [%s], authorize: none, stages: {s: {path: /}, p: {path: /.well-known}}, routes: [{match: \"GET %s\", target: mock}]}}\n", domains, path)
	}
	for name, tc := range map[string]struct{ text, says string }{
		"good":                  {listen + section + api("a.test", "/"), ""},
		"no section":            {listen + api("a.test", "/"), "needs a section acme"},
		"no consent":            {listen + "acme: {email: ops@shop.test}\n" + api("a.test", "/"), "agree: true"},
		"no domains":            {listen + section + "apis: {a: {authorize: none, routes: [{match: GET /, target: mock}]}}\n", "no API names a domain"},
		"only localhost":        {listen + section + api("localhost, x.localhost, 192.0.2.1", "/"), "no API names a domain"},
		"a wildcard":            {listen + section + api(`"*.a.test"`, "/"), "by dns-01 alone"},
		"a route at the path":   {listen + section + api("a.test", "/.well-known/acme-challenge/{token}"), "are the gateway's own"},
		"a stage at the path":   {listen + section + api("a.test", "/acme-challenge/{token+}"), "are the gateway's own"},
		"a route for all hosts": {listen + section + api("a.test", "/") + "  b: {authorize: none, routes: [{match: \"GET /.well-known/acme-challenge/x\", target: mock}]}\n", "are the gateway's own"},
		"a route elsewhere":     {listen + section + api("a.test", "/.well-known/other/{token}"), ""},
		"the path is free":      {tlsOnly + section + api("a.test", "/.well-known/acme-challenge/{token}"), ""},
		"http-01 without port":  {tlsOnly + "acme: {agree: true, challenges: [http-01]}\n" + api("a.test", "/"), "a listener without tls"},
		"dns-01 without a hook": {listen + "acme: {agree: true, challenges: [dns-01]}\n" + api("a.test", "/"), "dns-01 needs dns"},
		"reserved":              {listen + section + api("x.gatehouse.internal", "/"), "gateway's own"},
		"unused":                {"listen: [{address: \"127.0.0.1:0\"}]\n" + section + api("a.test", "/"), ""},
	} {
		text := tc.text
		if strings.Contains(text, "\n  b:") {
			text = strings.Replace(text, "}]}}\n  b:", "}]}\n  ,b:", 1)
			text = strings.TrimSuffix(text, "\n") + "}\n"
		}
		cfg, err := gatehouse.LoadText("gatehouse.yaml", []byte("data: "+t.TempDir()+"\n"+text))
		if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q in\n%s", name, err, tc.says, text)
		}
		if name == "unused" && !slices.ContainsFunc(cfg.Warnings(), func(w string) bool { return strings.Contains(w, "nothing is obtained by acme") }) {
			t.Errorf("warnings: %v", cfg.Warnings())
		}
	}
}

// A reload that adds a name does not wait for its certificate; one that removes
// it forgets it, and leaves what was stored for when it comes again.
func TestACMEReloads(t *testing.T) {
	text := func(domains string) string { return "{{listen}}\nacme: {{{ca}}}" + fmt.Sprintf(mockAPI, domains) }
	h := withCA(t, pebble.Options{}, text("a.reload.test"), nil)
	h.awaitTrusted("a.reload.test")
	goroutines, _ := settled(1 << 20)

	gate := h.ca.Hang()
	begun := time.Now()
	if err := h.again(text("a.reload.test, b.reload.test")); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("the reload took %v", took)
	}
	if got := h.shows("b.reload.test").Issuer.CommonName; got != "Gatehouse listeners" {
		t.Errorf("meanwhile %s serves", got)
	}
	gate()
	h.awaitTrusted("b.reload.test", "a.reload.test")

	if err := h.again(text("a.reload.test")); err != nil {
		t.Fatal(err)
	}
	if got := h.shows("b.reload.test").DNSNames[0]; got != "localhost" {
		t.Errorf("what is not configured any more is shown %s", got)
	}
	for _, c := range h.Certificates() {
		if slices.Contains(c.Names, "b.reload.test") {
			t.Errorf("still known: %+v", c)
		}
	}
	if g, _ := settled(goroutines); g > goroutines {
		t.Errorf("goroutines %d -> %d", goroutines, g)
	}
	orders := h.ca.Orders()
	if err := h.again(text("a.reload.test, b.reload.test")); err != nil {
		t.Fatal(err)
	}
	if !h.trusted("b.reload.test") || h.ca.Orders() != orders {
		t.Errorf("the stored certificate is not used again: %d orders, then %d", orders, h.ca.Orders())
	}
	for range 20 {
		for _, domains := range []string{"a.reload.test", "a.reload.test, b.reload.test"} {
			if err := h.again(text(domains)); err != nil {
				t.Fatal(err)
			}
		}
	}
	without := strings.Replace(text("a.reload.test"), "{{listen}}", `listen: [{address: "{{secure}}", tls: {certificates: internal}}]`, 1)
	if err := h.again(without); err != nil {
		t.Fatal(err)
	}
	if g, _ := settled(goroutines); g > goroutines {
		t.Errorf("goroutines %d -> %d", goroutines, g)
	}
}

// The cure of what goes wrong stands beside it in the log and in the list.
func TestACMESaysWhatIsWrong(t *testing.T) {
	text := "{{listen}}\nacme: {{{ca}}}" + fmt.Sprintf(mockAPI, "a.wrong.test")
	h := withCA(t, pebble.Options{Blocked: []string{"blocked.test"}, ExternalAccounts: map[string]string{"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}, Profiles: map[string]time.Duration{"default": 90 * 24 * time.Hour, "shortlived": 6 * 24 * time.Hour}}, text, nil)
	problem := func(name string) string {
		h.t.Helper()
		var found string
		h.await("a problem with "+name, func() bool { found = h.certificate(name).Problem; return found != "" })
		return found
	}
	logged := func(what string) {
		h.t.Helper()
		h.await("the log says "+what, func() bool { return strings.Contains(h.log.String(), what) })
	}
	if got := problem("a.wrong.test"); !strings.HasPrefix(got, "externalAccountRequired: ") {
		t.Error(got)
	}
	logged("the CA wants acme.external-account")

	account := `external-account: {key-id: kid-1, hmac-key: "${file:hmac}"}, `
	h.write("hmac", []byte("bm90IHRoZSBrZXk"))
	if err := h.again(strings.Replace(text, "{{ca}}", account+"{{ca}}", 1)); err != nil {
		t.Fatal(err)
	}
	logged("see that acme.external-account is what the CA gave you")
	h.write("hmac", []byte("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"))
	if err := h.again(strings.Replace(text, "{{ca}}", account+"profile: shortlived, {{ca}}", 1)); err != nil {
		t.Fatal(err)
	}
	h.awaitTrusted("a.wrong.test")
	if left := time.Until(h.shows("a.wrong.test").NotAfter); left > 6*24*time.Hour {
		t.Errorf("a certificate of the profile shortlived lasts %v", left)
	}
	if strings.Contains(h.log.String(), "zWND") {
		t.Errorf("the log:\n%s", h.log)
	}

	for _, tc := range []struct{ name, old, new, says string }{
		{"no directory", "/dir\"", "/nothing\"", "acme.directory is the URL of a CA's directory"},
		{"nobody there", h.ca.Directory, "https://127.0.0.1:1/dir", "see that this machine can reach https://127.0.0.1:1/dir"},
		{"another root", "ca: pebble.pem, ", "", "acme.ca names its root"},
		{"no such profile", "email:", "profile: gold, email:", "see to acme.profile"},
	} {
		name := strings.ReplaceAll(tc.name, " ", "-") + ".wrong.test" // without a certificate by another directory
		text := h.fill("{{listen}}\nacme: {" + account + "{{ca}}}" + fmt.Sprintf(mockAPI, name))
		text = strings.Replace(text, tc.old, tc.new, 1)
		if err := h.again(text); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		problem(name)
		logged(tc.says)
	}
	if err := h.again("{{listen}}\nacme: {" + account + "{{ca}}}" + fmt.Sprintf(mockAPI, "blocked.test")); err != nil {
		t.Fatal(err)
	}
	if got := problem("blocked.test"); !strings.HasPrefix(got, "rejectedIdentifier: ") {
		t.Error(got)
	}
	logged("the CA certifies no such name")
	h.ca.Limit("7200")
	if err := h.again("{{listen}}\nacme: {" + account + "{{ca}}}" + fmt.Sprintf(mockAPI, "limited.test")); err != nil {
		t.Fatal(err)
	}
	if got := problem("limited.test"); !strings.HasPrefix(got, "rateLimited: ") {
		t.Error(got)
	}
	if again := time.Until(*h.certificate("limited.test").Again); again < 119*time.Minute {
		t.Errorf("it comes again in %v, though the CA said two hours", again)
	}
	var list []gatehouse.CertificateInfo
	if err := admin.Dial(filepath.Join(h.dir, "data")).Certificates(t.Context(), &list); err != nil || list[0].Problem == "" {
		t.Errorf("%v %v", list, err)
	}
}

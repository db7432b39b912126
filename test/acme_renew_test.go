package test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/test/pebble"
)

// A certificate of a short life is renewed again and again while requests go on,
// by the fraction of its life that is over, and sessions outlive the change.
func TestACMERenewsByFractionOfLife(t *testing.T) {
	const life = 9 * time.Second
	h := withCA(t, pebble.Options{Life: life, NoARI: true}, "{{listen}}\nacme: {{{ca}}}"+fmt.Sprintf(mockAPI, "a.fraction.test"), nil)
	h.awaitTrusted("a.fraction.test")
	first := h.shows("a.fraction.test")
	cache := tls.NewLRUClientSessionCache(8)
	resumed := func() bool {
		conn, err := tls.Dial("tcp", h.secureAt, &tls.Config{ServerName: "a.fraction.test", RootCAs: h.ca.Roots, ClientSessionCache: cache})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: a.fraction.test\r\nConnection: close\r\n\r\n")
		if _, err := conn.Read(make([]byte, 1)); err != nil { // the ticket has come with the answer
			t.Fatal(err)
		}
		return conn.ConnectionState().DidResume
	}
	resumed()
	kept := h.keepAlive("a.fraction.test")
	seen := map[string]time.Time{}
	for start := time.Now(); len(seen) < 3; time.Sleep(50 * time.Millisecond) {
		cert := h.shows("a.fraction.test")
		if time.Now().After(cert.NotAfter) {
			t.Fatalf("what is served expired at %v", cert.NotAfter)
		}
		if _, known := seen[cert.SerialNumber.String()]; !known {
			seen[cert.SerialNumber.String()] = time.Now()
			if age := time.Since(first.NotBefore); len(seen) == 2 && age < life*2/3-time.Second {
				t.Errorf("renewed when %v old", age)
			}
			if len(seen) == 2 && !resumed() {
				t.Error("a session of before the renewal is not resumed")
			}
		}
		if time.Since(start) > 4*life {
			t.Fatalf("%d certificates\n%s", len(seen), h.log)
		}
		kept()
	}
	if got := h.ca.Suggested(); got != 0 {
		t.Errorf("a CA without ARI was asked for it %d times", got)
	}
}

// keepAlive opens a connection, and returns what sends one more request over it.
func (h *acmeHouse) keepAlive(name string) func() {
	h.t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: h.ca.Roots, ServerName: name}, MaxConnsPerHost: 1}
	h.t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	return func() {
		h.t.Helper()
		r, err := http.NewRequest("GET", "https://"+h.secureAt+"/", nil)
		if err != nil {
			h.t.Fatal(err)
		}
		r.Host = name
		resp, err := client.Do(r)
		if err != nil {
			h.t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			h.t.Fatalf("%d", resp.StatusCode)
		}
	}
}

// A CA that suggests to renew at once is followed, though the certificate would
// last for months, and is told which certificate is replaced.
func TestACMERenewsByARI(t *testing.T) {
	h := withCA(t, pebble.Options{}, "{{listen}}\nacme: {{{ca}}}"+fmt.Sprintf(mockAPI, "a.ari.test"), nil)
	h.awaitTrusted("a.ari.test")
	first := h.shows("a.ari.test")
	if first.SerialNumber.Bytes()[0]&0x80 != 0 {
		t.Skip("one in 256: pebble does not find its order by a serial number that DER writes with a zero before it")
	}
	renews := h.certificate("a.ari.test").Renews
	if days := time.Until(*renews).Hours() / 24; days < 58 || days > 62 { // pebble: two thirds, a day more or less
		t.Errorf("renews in %.1f days", days)
	}
	h.stop()
	h.ca.Suggest(t, first, time.Now().Add(-time.Hour), time.Now().Add(-time.Minute))
	h.restart()
	if !h.shows("a.ari.test").Equal(first) {
		t.Error("after a restart another certificate is served than the one that is stored")
	}
	h.await("a renewal", func() bool { return !h.shows("a.ari.test").Equal(first) })
	h.awaitTrusted("a.ari.test")
	if days := time.Until(*h.certificate("a.ari.test").Renews).Hours() / 24; days < 58 {
		t.Errorf("the next one renews in %.1f days", days)
	}
	if h.ca.Orders() != 2 || h.ca.Accounts() != 1 {
		t.Errorf("%d orders, %d accounts", h.ca.Orders(), h.ca.Accounts())
	}
}

// While the CA is down requests go on: with the internal CA's certificate where
// there is no other, with the last one where there is, though it has expired.
func TestACMEWithoutItsCA(t *testing.T) {
	const text = "{{listen}}\nacme: {{{ca}}}\napis: {a: {domains: [%s], authorize: none, routes: [{match: \"ANY /{proxy*}\", target: mock}]}}\n"
	h := withCA(t, pebble.Options{Life: 4 * time.Second, NoARI: true}, fmt.Sprintf(text, "a.down.test"), nil, func(ca *pebble.CA) { ca.SetDown(true) })
	h.await("a failure", func() bool { return h.certificate("a.down.test").Problem != "" })
	if got := h.shows("a.down.test"); got.Issuer.CommonName != "Gatehouse listeners" || got.DNSNames[0] != "a.down.test" {
		t.Errorf("served meanwhile: %v by %v", got.DNSNames, got.Issuer)
	}
	for _, want := range []string{"certificate not obtained", "certificate=a.down.test", "cure=", "serves=\"the internal CA's\"", "again-in=1m"} {
		if !strings.Contains(h.log.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, h.log)
		}
	}
	h.metric(`gatehouse_certificate_failures_total{name="a.down.test",source="acme"} 1`)
	h.metric(`gatehouse_certificate_expiry_timestamp_seconds{name="a.down.test",source="acme"} 0`)

	h.ca.SetDown(false)
	if err := h.again(strings.Replace(fmt.Sprintf(text, "a.down.test"), "{{ca}}", "{{ca}}, key: ecdsa-p384", 1)); err != nil { // other settings: tried at once
		t.Fatal(err)
	}
	h.awaitTrusted("a.down.test")
	if c := h.certificate("a.down.test"); c.Problem != "" || c.Again != nil || c.Failures != 1 {
		t.Errorf("after that: %+v", c)
	}
	h.ca.SetDown(true)
	last := h.shows("a.down.test")
	get := h.keepAlive("a.down.test")
	get()
	h.await("the certificate's end", func() bool {
		get()
		last = h.shows("a.down.test")
		return time.Now().After(last.NotAfter.Add(time.Second))
	})
	if !h.shows("a.down.test").Equal(last) {
		t.Error("the last one is not served any more")
	}
	h.await("a failed renewal", func() bool { return strings.Contains(h.log.String(), "certificate not renewed") })
	h.ca.SetDown(false)
	h.awaitTrusted("a.down.test")
}

// metric waits for a line of the metrics.
func (h *acmeHouse) metric(line string) {
	h.t.Helper()
	h.await(line, func() bool { return strings.Contains(h.metrics(), line+"\n") })
}

// A restart serves what is stored from the first handshake on, whatever has
// become of the CA; what cannot be read is obtained anew.
func TestACMERestarts(t *testing.T) {
	text := "{{listen}}\nacme: {{{ca}}}" + fmt.Sprintf(mockAPI, "a.restart.test")
	h := withCA(t, pebble.Options{}, text, nil)
	h.awaitTrusted("a.restart.test")
	h.stop()
	h.ca.SetDown(true)
	h.restart()
	if !h.trusted("a.restart.test") {
		t.Error("the stored certificate is not served at once")
	}
	h.stop()
	h.ca.SetDown(false)

	bundles, err := filepath.Glob(filepath.Join(h.dir, "data", "acme", "certificates", "*", "*.pem"))
	if err != nil || len(bundles) != 1 {
		t.Fatalf("%v %v", bundles, err)
	}
	h.private(filepath.Join(h.dir, "data", "acme"))
	whole, err := os.ReadFile(bundles[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bundles[0], whole[:len(whole)*2/3], 0o600); err != nil {
		t.Fatal(err)
	}
	h.restart()
	h.awaitTrusted("a.restart.test")
	if _, err := os.Stat(bundles[0] + ".damaged"); err != nil {
		t.Error(err)
	}
	if h.ca.Orders() != 2 || h.ca.Accounts() != 1 {
		t.Errorf("%d orders, %d accounts", h.ca.Orders(), h.ca.Accounts())
	}
	h.stop()

	for path, mode := range map[string]os.FileMode{bundles[0]: 0o640, filepath.Join(h.dir, "data", "acme"): 0o755} {
		was, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if err := h.fails(); err == nil || !strings.Contains(err.Error(), "chmod") || !strings.Contains(err.Error(), "gatehouse.yaml:") {
			t.Errorf("%s with %o: %v", path, mode, err)
		}
		if err := os.Chmod(path, was.Mode()); err != nil {
			t.Fatal(err)
		}
	}
}

// private holds that a folder and all in it are their owner's alone.
func (h *acmeHouse) private(dir string) {
	h.t.Helper()
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			h.t.Errorf("%s: %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		h.t.Error(err)
	}
}

// A CA that has lost its accounts is registered with again.
func TestACMEAccountThatIsGone(t *testing.T) {
	h := withCA(t, pebble.Options{Life: 6 * time.Second, NoARI: true}, "{{listen}}\nacme: {{{ca}}}"+fmt.Sprintf(mockAPI, "a.gone.test"), nil)
	h.awaitTrusted("a.gone.test")
	old := h.ca.Roots
	h.ca.Forget(t)
	h.await("a certificate of the CA that began anew", func() bool { return h.trusted("a.gone.test") })
	if verify(h.shows("a.gone.test"), old) == nil || h.ca.Accounts() != 2 {
		t.Errorf("%d accounts", h.ca.Accounts())
	}
}

func verify(cert *x509.Certificate, roots *x509.CertPool) error {
	_, err := cert.Verify(x509.VerifyOptions{Roots: roots})
	return err
}

// Where another CA is named, the old one's certificate serves until the new one
// has given its own; and where that one is named again, it is not asked again.
func TestACMEAnotherCA(t *testing.T) {
	text := "{{listen}}\nacme: {{{ca}}}" + fmt.Sprintf(mockAPI, "a.another.test")
	h := withCA(t, pebble.Options{}, text, nil)
	h.awaitTrusted("a.another.test")
	first, old := h.ca, h.shows("a.another.test")

	o := pebble.Options{}
	fmt.Sscanf(h.secureAt+" "+h.plainAt, "127.0.0.1:%d 127.0.0.1:%d", &o.TLSPort, &o.HTTPPort)
	h.ca = pebble.Start(t, o)
	h.write("pebble.pem", append(h.ca.PEM, first.PEM...))
	release := h.ca.Hang()
	if err := h.again(text); err != nil {
		t.Fatal(err)
	}
	if !h.shows("a.another.test").Equal(old) {
		t.Error("the old CA's certificate does not serve meanwhile")
	}
	h.stop()
	h.restart() // while the other CA still says nothing
	if !h.shows("a.another.test").Equal(old) {
		t.Error("nor does it after a restart")
	}
	release()
	h.awaitTrusted("a.another.test")

	h.ca = first
	first.SetDown(true)
	if err := h.again(text); err != nil {
		t.Fatal(err)
	}
	h.await("the stored certificate of the first CA", func() bool { return h.shows("a.another.test").Equal(old) })
	if first.Orders() != 1 {
		t.Errorf("%d orders", first.Orders())
	}
}

// Another address is told to the CA; the account stays.
func TestACMEAnotherAddress(t *testing.T) {
	text := "{{listen}}\nacme: {{{ca}}}" + fmt.Sprintf(mockAPI, "a.address.test")
	h := withCA(t, pebble.Options{}, text, nil)
	h.awaitTrusted("a.address.test")
	if err := h.again(strings.Replace(h.fill(strings.Replace(text, "a.address", "b.address", 1)), "ops@", "night@", 1)); err != nil {
		t.Fatal(err)
	}
	h.awaitTrusted("b.address.test")
	files, _ := filepath.Glob(filepath.Join(h.dir, "data", "acme", "accounts", "*"))
	if len(files) != 1 {
		t.Fatal(files)
	}
	account, err := os.ReadFile(files[0])
	if err != nil || !strings.Contains(string(account), "mailto:night@shop.test") || h.ca.Accounts() != 1 || strings.Contains(h.log.String(), "did not take") {
		t.Errorf("%d accounts, %v\n%s", h.ca.Accounts(), err, h.log)
	}
}

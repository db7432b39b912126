package edge

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tool runs a program of the system, or skips the test where there is none.
func tool(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s here", name)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = strings.NewReader("Q\n")
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

func rootFile(t *testing.T, h *house) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(path, h.ca.RootPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCurl(t *testing.T) {
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.Proto + " from " + r.Header.Get("X-Forwarded-For")))
	}, listenerConfig(withTLS(), trusting("127.0.0.0/8"), proxying("accept")))
	root := rootFile(t, h)
	port := h.addr()[strings.LastIndex(h.addr(), ":")+1:]
	run := func(args ...string) string {
		t.Helper()
		args = append([]string{"--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--cacert", root,
			"--resolve", "api.shop.test:" + port + ":127.0.0.1", "https://api.shop.test:" + port + "/"}, args...)
		out, err := tool(t, "curl", args...)
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return out
	}
	if got := run("--http1.1"); got != "HTTP/1.1 from 127.0.0.1" {
		t.Errorf("%q", got)
	}
	if got := run("--http2"); !strings.Contains(got, " from 127.0.0.1") {
		t.Errorf("%q", got)
	}
	if got := run("--http1.1", "--haproxy-protocol"); got != "HTTP/1.1 from 127.0.0.1" {
		t.Errorf("%q", got)
	}
	if got := run("--http1.1", "--header", "X-Forwarded-For: 198.51.100.7"); got != "HTTP/1.1 from 198.51.100.7, 127.0.0.1" {
		t.Errorf("%q", got)
	}
	if got := run("--http1.1", "--tlsv1.3"); got != "HTTP/1.1 from 127.0.0.1" {
		t.Errorf("%q", got)
	}
	if got := run("--http1.1", "--tls-max", "1.2"); got != "HTTP/1.1 from 127.0.0.1" {
		t.Errorf("%q", got)
	}
	if h.counters().ProxyErrors.Load() != 0 {
		t.Error("curl's PROXY header was refused")
	}
}

func TestOpenSSL(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(withTLS()))
	root := rootFile(t, h)
	run := func(name string) (string, error) {
		return tool(t, "openssl", "s_client", "-connect", h.addr(), "-servername", name, "-verify_hostname", name,
			"-CAfile", root, "-verify_return_error", "-purpose", "sslserver", "-x509_strict")
	}
	for _, name := range []string{"api.shop.test", "b.wild.test", "localhost"} {
		if out, err := run(name); err != nil || !strings.Contains(out, "Verify return code: 0 (ok)") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if out, err := run("stranger.test"); err == nil {
		t.Errorf("a stranger's name verifies:\n%s", out)
	}
}

// OpenSSL tells the purposes apart, too.
func TestOpenSSLPurposes(t *testing.T) {
	h := newHouse(t, nil, listenerConfig())
	root := rootFile(t, h)
	client, err := h.ca.ClientCertificate()(nil)
	if err != nil {
		t.Fatal(err)
	}
	server, err := h.ca.ServerCertificate("api.shop.test")
	if err != nil {
		t.Fatal(err)
	}
	verify := func(chain [][]byte, purpose string) bool {
		t.Helper()
		dir := t.TempDir()
		leaf, between := filepath.Join(dir, "leaf.pem"), filepath.Join(dir, "between.pem")
		for path, der := range map[string][]byte{leaf: chain[0], between: chain[1]} {
			if err := os.WriteFile(path, certPEM(der), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := tool(t, "openssl", "verify", "-x509_strict", "-CAfile", root, "-untrusted", between, "-purpose", purpose, leaf)
		return err == nil
	}
	for _, test := range []struct {
		chain   [][]byte
		purpose string
		want    bool
	}{
		{client.Certificate, "sslclient", true}, {client.Certificate, "sslserver", false},
		{server.Certificate, "sslserver", true}, {server.Certificate, "sslclient", false},
	} {
		if got := verify(test.chain, test.purpose); got != test.want {
			t.Errorf("%s: %v", test.purpose, got)
		}
	}
}

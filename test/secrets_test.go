package test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse"
	"gatehouse/admin"
	"gatehouse/secrets"
)

const secretive = `
listen: [{address: "%s", tls: {certificates: internal}}]
admin: {address: off}
%sstate: {master-key: ../master.key}
apis:
  shop:
    domains: [localhost]
    authorize: customers
    identity: {token: {audience: orders, jwks: /_identity/jwks.json}}
    authorizers: {customers: {jwt: {issuer: "https://login.test", audience: test, jwks: development}}}
    routes: [{match: GET /a, target: mock}, {match: GET /b, target: "service:b"}]
services: {b: {targets: ["127.0.0.1:9", "127.0.0.1:10"], sticky: cookie}}
`

// hoard is what a gateway has said of its secrets.
type hoard struct {
	t       *testing.T
	dir     string
	binary  string
	address string
	client  *admin.Client
	root    []byte
	kids    map[string]bool
	since   map[string]time.Time
}

func newHoard(t *testing.T, without string) *hoard {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds programs and kills them")
	}
	if _, err := programs(); err != nil {
		t.Fatal(err)
	}
	h := &hoard{t: t, dir: filepath.Join(t.TempDir(), "gateway"), binary: filepath.Join(os.Getenv(programsKey), "gatehouse"), address: freeAddress(t), kids: make(map[string]bool), since: make(map[string]time.Time)}
	h.client = admin.Dial(filepath.Join(h.dir, "data"))
	h.configure(without)
	return h
}

// configure writes the configuration; without is # for one without a state.
func (h *hoard) configure(without string) {
	write(h.t, filepath.Join(h.dir, "gatehouse.yaml"), fmt.Appendf(nil, secretive, h.address, without))
}

func (h *hoard) launch() *program { return launch(h.t, h.dir, h.binary, "run") }

// check holds a gateway that has started to what it said before.
func (h *hoard) check(gateway *program) {
	h.t.Helper()
	ready(h.t, h.client, gateway)
	root, err := os.ReadFile(filepath.Join(h.dir, "data", "ca", "root.pem"))
	if err != nil {
		h.t.Fatal(err)
	}
	block, _ := pem.Decode(root)
	root = pem.EncodeToMemory(block)
	if h.root != nil && !bytes.Equal(root, h.root) {
		h.t.Fatalf("the root is another one than it was:\n%s", gateway.said)
	}
	h.root = root
	now := h.jwks()
	for kid := range h.kids {
		if !now[kid] {
			h.t.Fatalf("the key %s is lost:\n%s", kid, gateway.said)
		}
	}
	h.kids = now
	for _, s := range h.list() {
		if s.Since.Before(h.since[s.Name]) {
			h.t.Fatalf("%s was changed at %v, and that is lost: it is of %v", s.Name, h.since[s.Name], s.Since)
		}
	}
}

func (h *hoard) list() (all []secrets.Status) {
	h.t.Helper()
	if err := h.client.Act(h.t.Context(), "secrets/list", nil, &all); err != nil {
		h.t.Fatal(err)
	}
	return all
}

// jwks returns the names of the keys that the gateway gives out, over TLS by its
// root.
func (h *hoard) jwks() map[string]bool {
	h.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(h.root)
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}}
	r, err := http.NewRequest("GET", "https://"+h.address+"/_identity/jwks.json", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Host = "localhost"
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil || len(set.Keys) == 0 {
		h.t.Fatalf("%v: %s", err, body)
	}
	kids := make(map[string]bool)
	for _, k := range set.Keys {
		kids[k.KeyID] = true
	}
	return kids
}

// A gateway that is killed at any moment of its first start, in which it makes its
// secrets, starts again, with one root for good; and so does one that is killed while
// its files become part of the state.
func TestKilledWhileSecretsAreMade(t *testing.T) {
	for _, without := range []string{"", "#"} {
		for range 5 {
			h := newHoard(t, without)
			if without != "" {
				gateway := h.launch()
				h.check(gateway)
				gateway.signal(syscall.SIGKILL)
				<-gateway.done
				h.configure("")
			}
			for range 2 {
				gateway := h.launch()
				timer := time.AfterFunc(time.Duration(rand.IntN(200))*time.Millisecond, func() { gateway.signal(syscall.SIGKILL) })
				<-gateway.done
				timer.Stop()
				if text, err := os.ReadFile(filepath.Join(h.dir, "data", "ca", "root.pem")); err == nil && h.root == nil {
					block, _ := pem.Decode(text)
					h.root = pem.EncodeToMemory(block) // somebody may have been told to trust it
				}
			}
			gateway := h.launch()
			h.check(gateway)
			left, _ := filepath.Glob(filepath.Join(h.dir, "data", "ca", "before-*"))
			for _, name := range []string{"ca/authorities.json", "iam/session.key", "identity-key.json", "ca/links.pem"} {
				if _, err := os.Stat(filepath.Join(h.dir, "data", name)); err == nil {
					left = append(left, name)
				}
			}
			if len(left) > 0 {
				t.Errorf("left beside the state: %v\n%s", left, gateway.said)
			}
			gateway.signal(syscall.SIGTERM)
			if code := gateway.ends(); code != 0 || strings.Contains(gateway.said.String(), "level=ERROR") {
				t.Errorf("exit code %d\n%s", code, gateway.said)
			}
		}
	}
}

// A gateway that is killed while keys are changed has lost none that it said it had
// changed.
func TestKilledWhileSecretsTurn(t *testing.T) {
	h := newHoard(t, "")
	turns := 0
	const kills = 15
	for range kills {
		gateway := h.launch()
		h.check(gateway)
		timer := time.AfterFunc(time.Duration(rand.IntN(80))*time.Millisecond, func() { gateway.signal(syscall.SIGKILL) })
		for i := 0; ; i++ {
			all := []string{"identity-key.json", "ticket-keys.json", "iam/session.key", "tls-ticket-keys", "ca/authorities.json"}
			name := all[i%len(all)]
			var s secrets.Status
			if err := h.client.Act(t.Context(), "secrets/rotate", gatehouse.SecretRef{Name: name}, &s); err != nil {
				if strings.Contains(err.Error(), "have them forgotten") {
					continue
				}
				break
			}
			h.since[name] = s.Since
			turns++
		}
		<-gateway.done
		timer.Stop()
	}
	gateway := h.launch()
	h.check(gateway)
	if len(h.kids) < 2 || turns == 0 {
		t.Errorf("%d keys after %d turns: the storm shows little", len(h.kids), turns)
	}
	t.Logf("%d kills, %d turns, %d keys", kills, turns, len(h.kids))
	gateway.signal(syscall.SIGTERM)
	if code := gateway.ends(); code != 0 {
		t.Errorf("exit code %d\n%s", code, gateway.said)
	}
}

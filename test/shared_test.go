package test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/nats-io/nats-server/v2/server"

	"gatehouse"
	"gatehouse/observe/audit"
	"gatehouse/secrets"
)

// sharedShop is a gateway that keeps what it knows in a NATS that several share.
const sharedShop = `
account: "123456789012"
region: eu-central-1
state: {nats: "nats://127.0.0.1:NATS", master-key: "MASTER"}
listen:
  - {address: "127.0.0.1:0", tls: {certificates: internal}, serve: [apis, aws]}
iam:
  users:
    ci: {access-keys: {id: ` + ciKey + `, secret: ` + ciSecret + `}}
  roles:
    deploy: {trust: user:ci, policies: {Statement: {Effect: Allow, Action: "execute-api:Invoke", Resource: "*"}}}
apis:
  shop:
    domains: [localhost]
    authorize: people
    identity: {token: {audience: orders, jwks: /_identity/jwks.json}}
    authorizers:
      people: {oidc: {issuer: "ISSUER", client-id: shop, client-secret: "s3cret/", logout-to: /bye}}
      partners: {iam: {}}
    routes:
      - {match: "ANY /orders/{proxy*}", target: "service:a"}
      - {match: "GET /sticky", target: "service:b", authorize: none}
      - {match: "GET /signed", target: "service:a", authorize: partners}
      - {match: GET /bye, target: mock, authorize: none}
services:
  a: {targets: ["ONE"]}
  b: {targets: ["ONE", "TWO"], sticky: cookie}
`

// fleet is two gateways over one NATS.
type fleet struct {
	t        *testing.T
	provider *provider
	nats     *server.Server
	store    string
	port     string
	text     string
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, provider: newProvider(t), store: t.TempDir(), port: freePort(t)}
	f.text = strings.NewReplacer("NATS", f.port, "MASTER", filepath.Join(t.TempDir(), "master.key"), "ISSUER", f.provider.URL,
		"ONE", newBackend(t, "one").Listener.Addr().String(), "TWO", newBackend(t, "two").Listener.Addr().String()).Replace(sharedShop)
	t.Cleanup(f.stop)
	return f
}

// serve starts the NATS server, which listens on a port of its own.
func (f *fleet) serve() {
	f.t.Helper()
	var number int
	_, _ = fmt.Sscan(f.port, &number)
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: number, JetStream: true, StoreDir: f.store, SyncAlways: true, NoSigs: true, NoLog: true})
	if err != nil {
		f.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		f.t.Fatal("the NATS server is not ready")
	}
	f.nats = s
}

func (f *fleet) stop() {
	if f.nats != nil {
		f.nats.Shutdown()
		f.nats.WaitForShutdown()
		f.nats = nil
	}
}

// join puts a gateway's data folder on the disk, with files in it, and starts it.
func (f *fleet) join() *running { return start(f.t, f.text, nil) }

func (r *running) act(t *testing.T, name string, in, out any) {
	t.Helper()
	if err := r.control().Act(t.Context(), name, in, out); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// moves gives a person another gateway, with all her cookies.
func (p *person) moves(to *running) *person {
	next := newPerson(p.t, to, true)
	u, _ := url.Parse(p.url("/"))
	cookies := p.jar.Cookies(u)
	for _, c := range cookies {
		c.Secure, c.Path = true, "/"
	}
	next.jar.SetCookies(u, cookies)
	return next
}

// What one gateway has made is good at another that shares its state, and who is
// logged out at one is logged out at the other.
func TestSharedSecrets(t *testing.T) {
	f := newFleet(t)
	f.serve()
	one := f.join()
	two := f.join()

	if root := one.read("data/ca/root.pem"); !bytes.Equal(root, two.read("data/ca/root.pem")) || bytes.Contains(root, []byte("PRIVATE")) {
		t.Errorf("the roots:\n%s\n%s", root, two.read("data/ca/root.pem"))
	}

	t.Run("TLS sessions", func(t *testing.T) {
		cache := tls.NewLRUClientSessionCache(4)
		ask := func(r *running) bool {
			conn, err := tls.Dial("tcp", r.secure(), &tls.Config{RootCAs: one.roots, ServerName: "localhost", ClientSessionCache: cache})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, _ = conn.Write([]byte("GET /bye HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
			_, _ = bytes.NewBuffer(nil).ReadFrom(conn) // the ticket comes with the answer
			return conn.ConnectionState().DidResume
		}
		if ask(one) || !ask(one) || !ask(two) || !ask(one) {
			t.Error("a session of one is not resumed at the other")
		}
	})

	t.Run("sticky cookies", func(t *testing.T) {
		for range 4 {
			a := sendHTTP1(t, one, message{method: "GET", target: "/sticky", host: "localhost"})
			cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
			for range 4 {
				b := sendHTTP2(t, two, message{method: "GET", target: "/sticky", host: "localhost", header: [][2]string{{"Cookie", cookie}}})
				if whoAnswered(t, a) != whoAnswered(t, b) || b.header.Get("Set-Cookie") != "" {
					t.Errorf("%s answered at the other, and set %q", whoAnswered(t, b), b.header.Get("Set-Cookie"))
				}
			}
		}
	})

	t.Run("temporary credentials", func(t *testing.T) {
		session, err := one.stsClient("https://"+strings.Replace(one.secure(), "127.0.0.1", "localhost", 1), ciKey, ciSecret, "").AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/deploy"), RoleSessionName: aws.String("run-1")})
		if err != nil {
			t.Fatal(err)
		}
		c := session.Credentials
		for _, r := range []*running{one, two} {
			m := message{method: "GET", target: "/signed", host: "localhost"}
			m.signer = parseSigner(t, "header", *c.AccessKeyId+" "+*c.SecretAccessKey+" region=eu-central-1 token="+*c.SessionToken)
			if a := sendHTTP1(t, r, m.signed(t)); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
	})

	t.Run("browser sessions and identity", func(t *testing.T) {
		ann := newPerson(t, one, true)
		if resp, body := ann.navigate("/orders/1"); resp.StatusCode != 200 {
			t.Fatalf("the login: %d %s", resp.StatusCode, body)
		}
		there := ann.moves(two)
		resp, body := there.do("GET", "/orders/1")
		if resp.StatusCode != 200 {
			t.Fatalf("the other gateway does not know the session: %d %s", resp.StatusCode, body)
		}
		identityIsKnown(t, body, one)
		identityIsKnown(t, body, two)
		if resp, _ := ann.do("GET", "/_auth/logout", "Sec-Fetch-Site", "same-origin"); resp.StatusCode != 200 {
			t.Errorf("the logout: %d", resp.StatusCode)
		}
		loggedOut(t, "at the other", there)

		bob := newPerson(t, two, true)
		bob.navigate("/orders/1")
		here := bob.moves(one)
		if resp, _ := here.do("GET", "/orders/1"); resp.StatusCode != 200 {
			t.Fatalf("%d", resp.StatusCode)
		}
		said, err := newPerson(t, one, true).client.PostForm("https://localhost:"+port(one.secure())+"/_auth/backchannel-logout", url.Values{"logout_token": {f.provider.logoutToken(nil)}})
		if err != nil || said.StatusCode != 200 {
			t.Fatalf("%v %v", said, err)
		}
		_ = said.Body.Close()
		loggedOut(t, "by the provider", bob)
	})
}

// loggedOut waits until a person's session is over: what one gateway stores, another
// hears a moment later.
func loggedOut(t *testing.T, what string, p *person) {
	t.Helper()
	eventually(t, func() error {
		if resp, _ := p.do("GET", "/orders/1"); resp.StatusCode != 401 {
			return fmt.Errorf("%s: %d", what, resp.StatusCode)
		}
		return nil
	})
}

// identityIsKnown verifies the token that a service was sent with the keys that a
// gateway gives out.
func identityIsKnown(t *testing.T, body string, r *running) {
	t.Helper()
	var s struct{ Header http.Header }
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	a := sendHTTP1(t, r, message{method: "GET", target: "/_identity/jwks.json", host: "localhost"})
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(a.body), &set); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	token, err := jwt.ParseSigned(s.Header.Get("X-Gatehouse-Identity"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	var claims jwt.Claims
	if err := token.Claims(&set, &claims); err != nil || claims.Subject != "ann" {
		t.Errorf("%v, %+v", err, claims)
	}
}

// A logout outlives a restart of the gateway that knows of it.
func TestLogoutOutlivesRestart(t *testing.T) {
	p := newProvider(t)
	text := strings.NewReplacer("ISSUER", p.URL, "BACKEND", newBackend(t, "a").Listener.Addr().String(), " OPTIONS", "").Replace(loginShop)
	r := start(t, "state: {master-key: ../elsewhere-"+filepath.Base(t.TempDir())+".key}\n"+text, nil)
	ann := newPerson(t, r, true)
	ann.navigate("/orders/1")
	thief := ann.moves(r)
	if resp, _ := thief.do("GET", "/orders/1"); resp.StatusCode != 200 {
		t.Fatalf("%d", resp.StatusCode)
	}
	ann.do("GET", "/_auth/logout", "Sec-Fetch-Site", "same-origin")
	r.stop()
	if err := r.boot(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop() })
	if resp, _ := thief.moves(r).do("GET", "/orders/1"); resp.StatusCode != 401 {
		t.Errorf("after a restart the session is back: %d", resp.StatusCode)
	}
	bob := newPerson(t, r, true)
	if resp, _ := bob.navigate("/orders/1"); resp.StatusCode != 200 {
		t.Errorf("a new session: %d", resp.StatusCode)
	}
}

// Files of before become part of the state, of the first gateway as they are, and
// of one that joins later beside what is there.
func TestFilesJoinTheState(t *testing.T) {
	f := newFleet(t)
	f.serve()
	alone := strings.Replace(f.text, "state:", "#state:", 1)
	first := start(t, alone, nil)
	root := first.read("data/ca/root.pem")
	ann := newPerson(t, first, true)
	ann.navigate("/orders/1")
	other := start(t, alone, nil)
	otherRoot := other.read("data/ca/root.pem")
	bob := newPerson(t, other, true)
	bob.navigate("/orders/1")

	// again restarts a gateway with the state, on all that it had.
	again := func(r *running) *running {
		t.Helper()
		r.stop()
		r.configure(f.text)
		if err := r.boot(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.stop() })
		return r
	}
	again(first)
	now := first.read("data/ca/root.pem")
	if !bytes.HasPrefix(root, now) || bytes.Contains(now, []byte("PRIVATE")) {
		t.Errorf("the root was\n%s\nand is\n%s", root, now)
	}
	if resp, _ := ann.moves(first).do("GET", "/orders/1"); resp.StatusCode != 200 {
		t.Errorf("a session of before: %d", resp.StatusCode)
	}
	for _, name := range []string{"cookie-keys.json", "ticket-keys.json", "iam/session.key", "identity-key.json", "ca/listeners.pem", "ca/authorities.json"} {
		if _, err := os.Stat(filepath.Join(first.dir, "data", name)); err == nil {
			t.Errorf("%s still lies in the data folder", name)
		}
	}
	if log := first.log.String(); !strings.Contains(log, "keys were taken from a file into the state") || !strings.Contains(log, "internal CA was taken") {
		t.Errorf("nothing was told:\n%s", log)
	}

	again(other)
	other.roots = first.roots
	if got := other.read("data/ca/root.pem"); !bytes.Equal(got, now) {
		t.Errorf("another root at the one that joined:\n%s", got)
	}
	for name, p := range map[string]*person{"its own": bob, "the first one's": ann} {
		for _, r := range []*running{other, first} {
			eventually(t, func() error {
				if resp, _ := p.moves(r).do("GET", "/orders/1"); resp.StatusCode != 200 {
					return fmt.Errorf("a session of %s: %d", name, resp.StatusCode)
				}
				return nil
			})
		}
	}
	if log := other.log.String(); !strings.Contains(log, "the former was put aside") || !strings.Contains(log, "were added to those in the state") {
		t.Errorf("nothing was told:\n%s", log)
	}
	kept, _ := filepath.Glob(filepath.Join(other.dir, "data", "ca", "before-*", "root.pem"))
	if len(kept) != 1 {
		t.Fatalf("the root of before was not put aside: %v", kept)
	}
	if text, err := os.ReadFile(kept[0]); err != nil || !bytes.Equal(text, otherRoot) {
		t.Errorf("%v:\n%s", err, text)
	}
}

// While the servers of the state are away, a gateway starts and goes on by what it
// knew last; one that has never known it serves with keys of its own, which become
// part of the state.
func TestSecretsWhileTheStateIsAway(t *testing.T) {
	f := newFleet(t)
	f.serve()
	one := f.join()
	ann := newPerson(t, one, true)
	ann.navigate("/orders/1")
	f.stop()
	if resp, _ := ann.do("GET", "/orders/1"); resp.StatusCode != 200 {
		t.Errorf("it goes on with %d", resp.StatusCode)
	}
	one.stop()
	if err := one.boot(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { one.stop() })
	there := ann.moves(one)
	if resp, _ := there.do("GET", "/orders/1"); resp.StatusCode != 200 {
		t.Errorf("it starts and answers %d", resp.StatusCode)
	}
	there.do("GET", "/_auth/logout", "Sec-Fetch-Site", "same-origin") // which waits

	two := f.join()
	own := two.read("data/ca/authorities.json")
	if len(own) == 0 || !strings.Contains(two.log.String(), "keys of this node alone") {
		t.Errorf("it says nothing:\n%s", two.log)
	}
	f.serve()
	eventually(t, func() error {
		if _, err := os.Stat(filepath.Join(two.dir, "data", "ca", "authorities.json")); err == nil {
			return errors.New("its own authority is still in use")
		}
		return nil
	})
	eventually(t, func() error {
		if !bytes.Equal(two.read("data/ca/root.pem"), one.read("data/ca/root.pem")) {
			return errors.New("the root that it tells clients to trust is its own")
		}
		return nil
	})
	two.roots = one.roots
	late := ann.moves(two)
	late.jar.SetCookies(&url.URL{Scheme: "https", Host: "localhost"}, nil)
	eventually(t, func() error {
		if resp, _ := late.do("GET", "/orders/1"); resp.StatusCode != 401 {
			return fmt.Errorf("the logout that waited has not come: %d", resp.StatusCode)
		}
		return nil
	})
}

// Keys are changed at one gateway and hold at all; what was made before stays good,
// unless it is to be forgotten. It is written down.
func TestTurnsReachAll(t *testing.T) {
	f := newFleet(t)
	f.serve()
	one, two := f.join(), f.join()
	ann := newPerson(t, one, true)
	ann.navigate("/orders/1")
	old := ann.moves(two)
	var rings []secrets.Status
	one.act(t, "secrets/list", nil, &rings)
	if len(rings) < 6 {
		t.Errorf("%+v", rings)
	}
	for _, r := range rings {
		one.act(t, "secrets/rotate", gatehouse.SecretRef{Name: r.Name}, nil)
	}
	if resp, _ := old.do("GET", "/orders/1"); resp.StatusCode != 200 {
		t.Errorf("a session of before the change: %d", resp.StatusCode)
	}
	bob := newPerson(t, one, true)
	bob.navigate("/orders/1")
	there := bob.moves(two)
	eventually(t, func() error {
		resp, body := there.do("GET", "/orders/1")
		if resp.StatusCode != 200 {
			return fmt.Errorf("a session of after the change: %d", resp.StatusCode)
		}
		identityIsKnown(t, body, two)
		return nil
	})
	one.act(t, "secrets/rotate", gatehouse.SecretRef{Name: "cookie-keys.json", Forget: true}, nil)
	loggedOut(t, "after its key was forgotten", old)
	if err := one.control().Act(t.Context(), "secrets/rotate", gatehouse.SecretRef{Name: "nothing"}, nil); err == nil {
		t.Error("a secret that there is not was changed")
	}
	one.stop()
	wrote(t, one, "secrets.rotate", len(rings)+2)
}

// wrote counts the records of an act in a gateway's audit.
func wrote(t *testing.T, r *running, act string, want int) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(r.dir, "data", "audit", "acts*.log"))
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var record audit.Record
			if err := json.Unmarshal(line, &record); err != nil {
				t.Fatal(err)
			}
			if record.Act == act {
				n++
			}
		}
	}
	if n != want {
		t.Errorf("%d records of %s, want %d", n, act, want)
	}
}

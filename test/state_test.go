package test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse"
	"gatehouse/admin"
	"gatehouse/auth/revoked"
	"gatehouse/iam/accesskey"
	"gatehouse/observe/audit"
	"gatehouse/state"
	"gatehouse/usage"
)

const stateConfig = `
listen: [{address: "%s", tls: {certificates: internal}}]
admin: {address: off}
state: {master-key: ../master.key}
usage-plans: {gold: {quota: {limit: 1000, per: month}, apis: [shop]}}
apis:
  shop:
    domains: [localhost]
    authorize: none
    authorizers: {customers: {jwt: {issuer: "https://login.test", audience: test, jwks: development}}}
    routes: [{match: GET /a, target: mock, api-key: required}, {match: GET /b, target: mock, authorize: customers}]
`

// kept is what a gateway has acknowledged.
type kept struct {
	enabled map[string]bool // API keys, by id
	revoked map[string]bool // ids of tokens
	unsure  string          // the key that was about to change
}

// TestKilledGatewayKeepsItsWord: a gateway that is killed at any moment knows,
// when it starts again, every API key and every revocation that it acknowledged.
func TestKilledGatewayKeepsItsWord(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs and kills them")
	}
	if _, err := programs(); err != nil {
		t.Fatal(err)
	}
	dir, address := filepath.Join(t.TempDir(), "gateway"), freeAddress(t)
	write(t, filepath.Join(dir, "gatehouse.yaml"), fmt.Appendf(nil, stateConfig, address))
	client := admin.Dial(filepath.Join(dir, "data"))
	binary := filepath.Join(os.Getenv(programsKey), "gatehouse")
	k := &kept{enabled: make(map[string]bool), revoked: make(map[string]bool)}
	const kills = 25
	for n := range kills {
		gateway := launch(t, dir, binary, "run")
		ready(t, client, gateway)
		k.check(t, client)
		timer := time.AfterFunc(time.Duration(rand.IntN(80))*time.Millisecond, func() { gateway.signal(syscall.SIGKILL) })
		k.change(t, client, n)
		<-gateway.done
		timer.Stop()
	}
	t.Logf("%d kills, %d keys, %d revocations", kills, len(k.enabled), len(k.revoked))
	gateway := launch(t, dir, binary, "run")
	ready(t, client, gateway)
	k.check(t, client)
	countsAreASecondBehind(t, client, address, gateway, func() *program { return launch(t, dir, binary, "run") })
	cfg, err := gatehouse.Load(filepath.Join(dir, "gatehouse.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	reports, err := gatehouse.VerifyAudit(cfg, "")
	if err != nil || len(reports[0].Problems) > 0 || reports[0].Records < kills {
		t.Errorf("the audit: %+v %v", reports[0], err)
	}
}

func ready(t *testing.T, client *admin.Client, gateway *program) {
	t.Helper()
	eventually(t, func() error {
		select {
		case <-gateway.done:
			t.Fatalf("it does not start:\n%s", gateway.said)
		default:
		}
		return client.Ready(t.Context())
	})
}

// change makes keys, disables some, and revokes tokens, until the gateway dies.
func (k *kept) change(t *testing.T, client *admin.Client, life int) {
	for i := 0; ; i++ {
		var key usage.Created
		if err := client.Act(t.Context(), "keys/create", usage.Wish{Name: "acme", Plan: "gold"}, &key); err != nil {
			return
		}
		k.enabled[key.ID], k.unsure = true, ""
		if i%2 == 0 {
			k.unsure = key.ID
			if err := client.Act(t.Context(), "keys/disable", gatehouse.KeyRef{ID: key.ID}, nil); err != nil {
				return
			}
			k.enabled[key.ID], k.unsure = false, ""
		}
		id := fmt.Sprintf("%d-%d", life, i)
		if err := client.Act(t.Context(), "tokens/revoke", revoked.Rule{ID: id}, nil); err != nil {
			return
		}
		k.revoked[id] = true
	}
}

// check looks for everything that was acknowledged.
func (k *kept) check(t *testing.T, client *admin.Client) {
	t.Helper()
	var keys []usage.View
	var rules []revoked.Rule
	if err := errors.Join(client.Act(t.Context(), "keys/list", struct{}{}, &keys), client.Act(t.Context(), "tokens/list", struct{}{}, &rules)); err != nil {
		t.Fatal(err)
	}
	now := make(map[string]bool)
	for _, key := range keys {
		now[key.ID] = key.Enabled
	}
	for id, enabled := range k.enabled {
		is, there := now[id]
		if !there || is != enabled && id != k.unsure {
			t.Fatalf("the key %s: there %v, enabled %v, want %v", id, there, is, enabled)
		}
		k.enabled[id] = is
	}
	there := make(map[string]bool)
	for _, r := range rules {
		there[r.ID] = true
	}
	for id := range k.revoked {
		if !there[id] {
			t.Fatalf("the revocation of %s is lost", id)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// countsAreASecondBehind: of what was used a second before the kill, all is
// counted.
func countsAreASecondBehind(t *testing.T, client *admin.Client, address string, gateway *program, again func() *program) {
	t.Helper()
	var key usage.Created
	if err := client.Act(t.Context(), "keys/create", usage.Wish{Name: "counted", Plan: "gold"}, &key); err != nil {
		t.Fatal(err)
	}
	const n = 30
	for range n {
		if status := askWith(t, address, key.Value); status != 200 {
			t.Fatalf("%d", status)
		}
	}
	time.Sleep(time.Second) // what may be lost is the last second
	gateway.signal(syscall.SIGKILL)
	<-gateway.done
	gateway = again()
	ready(t, client, gateway)
	var used usage.Use
	if err := client.Act(t.Context(), "keys/usage", gatehouse.KeyRef{ID: key.ID}, &used); err != nil || used.Used != n {
		t.Errorf("%d of %d are counted, %v", used.Used, n, err)
	}
	gateway.signal(syscall.SIGTERM)
	if code := gateway.ends(); code != 0 {
		t.Errorf("exit code %d\n%s", code, gateway.said)
	}
}

func askWith(t *testing.T, address, key string) int {
	t.Helper()
	r, err := http.NewRequest("GET", "https://"+address+"/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "localhost"
	r.Header.Set("X-Api-Key", key)
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	answer, err := (&http.Client{Transport: transport, Timeout: patience}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// TestTakeOverKeepsTheState: a process that takes over has every key, every count
// and the audit of the one before, which two never have open at once.
func TestTakeOverKeepsTheState(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	if _, err := programs(); err != nil {
		t.Fatal(err)
	}
	dir, address := filepath.Join(t.TempDir(), "gateway"), freeAddress(t)
	write(t, filepath.Join(dir, "gatehouse.yaml"), fmt.Appendf(nil, stateConfig, address))
	client := admin.Dial(filepath.Join(dir, "data"))
	binary := filepath.Join(os.Getenv(programsKey), "gatehouse")
	gateway := launch(t, dir, binary, "run")
	ready(t, client, gateway)
	var key usage.Created
	if err := client.Act(t.Context(), "keys/create", usage.Wish{Name: "acme", Plan: "gold"}, &key); err != nil {
		t.Fatal(err)
	}
	asked := 0
	for range 4 {
		for range 5 {
			if status := askWith(t, address, key.Value); status != 200 {
				t.Fatalf("%d\n%s", status, gateway.said)
			}
			asked++
		}
		next := launch(t, dir, binary, "run", "--take-over")
		if code := gateway.ends(); code != 0 {
			t.Fatalf("exit code %d\n%s\n%s", code, gateway.said, next.said)
		}
		gateway = next
		ready(t, client, gateway)
	}
	var used usage.Use
	if err := client.Act(t.Context(), "keys/usage", gatehouse.KeyRef{ID: key.ID}, &used); err != nil || used.Used != int64(asked) {
		t.Errorf("%d of %d are counted, %v", used.Used, asked, err)
	}
	if err := client.Act(t.Context(), "keys/disable", gatehouse.KeyRef{ID: key.ID}, nil); err != nil {
		t.Error(err)
	}
	if status := askWith(t, address, key.Value); status != 403 {
		t.Errorf("a disabled key: %d", status)
	}
	gateway.signal(syscall.SIGTERM)
	if code := gateway.ends(); code != 0 || strings.Contains(gateway.said.String(), "level=ERROR") {
		t.Errorf("exit code %d\n%s", code, gateway.said)
	}
	cfg, err := gatehouse.Load(filepath.Join(dir, "gatehouse.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	reports, err := gatehouse.VerifyAudit(cfg, "")
	if err != nil || len(reports[0].Problems)+len(reports[1].Problems) > 0 {
		t.Errorf("the audit: %+v %+v %v", reports[0], reports[1], err)
	}
}

// The state costs nothing where nothing needs it, comes with a reload or with the
// first act, and stays in its place.
func TestStateOnDemand(t *testing.T) {
	g := start(t, "apis: {a: {authorize: none, routes: [{match: GET /a, target: mock}]}}", nil)
	data := filepath.Join(g.dir, "data")
	there := func() bool {
		_, err := os.Stat(filepath.Join(data, "state"))
		return err == nil
	}
	if there() {
		t.Error("nobody needs the state, and it is there")
	}
	client := admin.Dial(data)
	if err := client.Act(t.Context(), "tokens/revoke", revoked.Rule{Issuer: "a", ID: "1"}, nil); err != nil || !there() {
		t.Errorf("the first act: %v", err)
	}
	g.configure("state: {master-key: ../elsewhere.key}\napis: {a: {authorize: none, routes: [{match: GET /a, target: mock}]}}")
	if err := g.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "only by a restart") {
		t.Errorf("another place by a reload: %v", err)
	}
	if err := client.Act(t.Context(), "keys/create", map[string]any{"nmae": "a"}, nil); err == nil || !strings.Contains(err.Error(), "nmae") {
		t.Errorf("a misspelt document: %v", err)
	}
}

// An export of one gateway is another one's state, under another master key.
func TestExportMovesAGateway(t *testing.T) {
	config := func(key string) string {
		return "state: {master-key: ../" + key + "}\nusage-plans: {gold: {quota: {limit: 9, per: day}, apis: [a]}}\napis: {a: {domains: [localhost], authorize: none, api-key: required, routes: [{match: GET /a, target: mock}]}}"
	}
	one, two := start(t, config(filepath.Base(t.TempDir())+"1.key"), nil), start(t, config(filepath.Base(t.TempDir())+"2.key"), nil)
	from, to := admin.Dial(filepath.Join(one.dir, "data")), admin.Dial(filepath.Join(two.dir, "data"))
	var key usage.Created
	var sealed gatehouse.Sealed
	var done state.Imported
	const phrase = "correct horse battery"
	ctx := t.Context()
	err := errors.Join(
		from.Act(ctx, "keys/create", usage.Wish{Name: "acme", Plan: "gold"}, &key),
		from.Act(ctx, "state/export", gatehouse.Sealed{Passphrase: phrase}, &sealed),
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := to.Act(ctx, "state/import", gatehouse.Sealed{Passphrase: phrase, Export: sealed.Export}, &done); err != nil || done.Written < 2 {
		t.Fatalf("%+v %v", done, err)
	}
	ask := message{method: "GET", target: "/a", host: "localhost", header: [][2]string{{"X-Api-Key", key.Value}}}
	if got := protocols[0].send(t, two, ask); got.status != 200 {
		t.Errorf("the key of the other gateway: %d", got.status)
	}
	if strings.Contains(two.log.String(), phrase) || strings.Contains(one.log.String(), key.Value) {
		t.Error("a secret is in the log")
	}
}

// An access key that a command has made signs, until it is disabled.
func TestAccessKeyByCommand(t *testing.T) {
	g := start(t, `
iam: {users: {ci: {policies: {Statement: {Effect: Allow, Action: "*", Resource: "*"}}}}}
apis:
  a: {domains: [localhost], authorize: partners, authorizers: {partners: {iam: {}}}, routes: [{match: GET /a, target: mock}]}
`, nil)
	client := admin.Dial(filepath.Join(g.dir, "data"))
	var key accesskey.Key
	if err := client.Act(t.Context(), "iam/access-key/create", gatehouse.UserRef{User: "nobody"}, &key); err == nil {
		t.Error("a key of a user who is not there")
	}
	if err := client.Act(t.Context(), "iam/access-key/create", gatehouse.UserRef{User: "ci"}, &key); err != nil {
		t.Fatal(err)
	}
	ask := message{method: "GET", target: "/a", host: "localhost", signer: &signer{service: "execute-api", region: "local"}}
	ask.signer.AccessKeyID, ask.signer.SecretAccessKey = key.ID, key.Secret
	for _, step := range []struct {
		act  string
		want int
	}{{"", 200}, {"disable", 403}, {"enable", 200}, {"delete", 403}} {
		if step.act != "" {
			if err := client.Act(t.Context(), "iam/access-key/"+step.act, gatehouse.KeyRef{ID: key.ID}, nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range protocols {
			if got := p.send(t, g, ask.signed(t)); got.status != step.want {
				t.Errorf("%s by %s: %d %s", step.act, p.name, got.status, got.body)
			}
		}
	}
}

// What is done and refused is written down, by whom and without credentials.
func TestAudit(t *testing.T) {
	g := start(t, "usage-plans: {gold: {quota: {limit: 9, per: day}, apis: [a]}}\napis: {a: {domains: [localhost], authorize: none, api-key: required, routes: [{match: GET /a, target: mock}]}}", nil)
	data := filepath.Join(g.dir, "data")
	client := admin.Dial(data)
	var key usage.Created
	if err := client.Act(t.Context(), "keys/create", usage.Wish{Name: "acme", Plan: "gold"}, &key); err != nil {
		t.Fatal(err)
	}
	_ = client.Reload(context.Background(), nil)
	for range 3 {
		protocols[0].send(t, g, message{method: "GET", target: "/a", host: "localhost", header: [][2]string{{"X-Api-Key", "guess-guess-guess"}}})
	}
	g.stop()
	files, err := filepath.Glob(filepath.Join(data, "audit", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]audit.Record)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || strings.Contains(string(text), key.Value) || strings.Contains(string(text), "guess-guess") {
			t.Errorf("%s: %v, or it holds a credential:\n%s", file, err, text)
		}
		for line := range strings.Lines(string(text)) {
			var r audit.Record
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			found[r.Act] = r
		}
	}
	actor := fmt.Sprintf("uid:%d", os.Geteuid())
	if r := found["keys.create"]; r.Actor != actor || r.Outcome != audit.Done || r.Detail["id"] != key.ID {
		t.Errorf("%+v", r)
	}
	if r := found["reload"]; r.Actor != actor {
		t.Errorf("%+v", r)
	}
	if r := found["authentication"]; r.Count != 3 || r.Outcome != audit.Refused || r.Detail["reason"] != "unknown-api-key" || r.Detail["client"] != "127.0.0.1" {
		t.Errorf("%+v", r)
	}
	for _, act := range []string{"start", "stop"} {
		if _, there := found[act]; !there {
			t.Errorf("nothing is said of the %s", act)
		}
	}
}

package test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse"
	"gatehouse/admin"
	"gatehouse/secrets"
	"gatehouse/usage"
)

// TestTakeOverOfState: API keys go along, those that were made before every
// take-over are known after it, and the audit is one chain of all processes.
func TestTakeOverOfState(t *testing.T) {
	g := startFirst(t, plainListener+`
state: {master-key: ../master.key}
usage-plans: {gold: {quota: {limit: 100, per: day}, apis: [a]}}
apis: {a: {authorize: none, api-key: required, routes: [{match: GET /a, target: mock}]}}
`)
	var keys []usage.Created
	ask := func(key string) int {
		return raw(t, g.address("127.0.0.1:0"), "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Api-Key: "+key+"\r\n\r\n").status
	}
	for range 3 {
		var key usage.Created
		if err := admin.Dial(g.dir+"/data").Act(t.Context(), "keys/create", usage.Wish{Name: "acme", Plan: "gold"}, &key); err != nil {
			t.Fatalf("%v; the log says %s", err, g.log)
		}
		keys = append(keys, key)
		g.takeOver()
		g.past()
		for _, key := range keys {
			if status := ask(key.Value); status != 200 {
				t.Fatalf("%d of %d keys: %d; the log says %s", len(keys), len(keys), status, g.log)
			}
		}
		if status := ask("no-such-key-no-such-key"); status != 403 {
			t.Errorf("a guess: %d", status)
		}
	}
	var views []usage.View
	if err := admin.Dial(g.dir+"/data").Act(t.Context(), "keys/list", nil, &views); err != nil || len(views) != 3 {
		t.Errorf("%d keys, %v", len(views), err)
	}
	cfg, err := g.load()
	if err != nil {
		t.Fatal(err)
	}
	g.stop()
	reports, err := gatehouse.VerifyAudit(cfg, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range reports {
		if len(r.Problems) > 0 {
			t.Errorf("the audit: %+v", r)
		}
	}
}

// A process that was taken over hears what the new one is told, and its requests
// are counted there: these wait for their authorizer while the take-over comes.
func TestDrainingProcessFollows(t *testing.T) {
	waiting, let := make(chan struct{}, 256), make(chan struct{})
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		waiting <- struct{}{}
		<-let
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"isAuthorized": true}`)
	}))
	t.Cleanup(program.Close)
	t.Cleanup(sync.OnceFunc(func() { close(let) }))
	g := startFirst(t, plainListener+`
limits: {take-over: 1m}
state: {master-key: ../master.key}
usage-plans: {gold: {quota: {limit: 100, per: day}, apis: [a]}}
apis:
  a:
    authorizers: {program: {http: {url: "`+program.URL+`", identity: header.X-Token, ttl: 0s, timeout: 30s}}}
    authorize: program
    api-key: required
    timeout: 1m
    routes: [{match: GET /a, target: mock}]
`)
	client := admin.Dial(g.dir + "/data")
	create := func(name string) (key usage.Created) {
		if err := client.Act(t.Context(), "keys/create", usage.Wish{Name: name, Plan: "gold"}, &key); err != nil {
			t.Fatal(err)
		}
		return key
	}
	goes := create("goes")
	const each = 100 // ten times as long as it takes
	answers := make(chan int, each)
	var asked sync.WaitGroup
	t.Cleanup(asked.Wait)
	ask := func(key usage.Created) {
		address := g.address("127.0.0.1:0")
		asked.Go(func() {
			answers <- raw(t, address, "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Token: "+rand.Text()+"\r\nX-Api-Key: "+key.Value+"\r\n\r\n").status
		})
		<-waiting
	}
	for range each {
		ask(goes)
	}
	g.takeOver()
	if err := client.Act(t.Context(), "keys/disable", gatehouse.KeyRef{ID: goes.ID}, nil); err != nil {
		t.Fatal(err)
	}
	served, refused := 0, false
	for served < each && !refused {
		let <- struct{}{} // one goes on at the process before
		switch status := <-answers; status {
		case 200:
			served++
			time.Sleep(200 * time.Millisecond) // it hears each second
		case 403:
			refused = true
		default:
			t.Fatalf("%d; the log says %s", status, g.log)
		}
	}
	if !refused {
		t.Errorf("%d requests of a disabled key were served; the log says %s", served, g.log)
	}
	var used usage.Use
	eventually(t, func() error {
		if err := client.Act(t.Context(), "keys/usage", gatehouse.KeyRef{ID: goes.ID}, &used); err != nil || used.Used != int64(served) {
			return fmt.Errorf("%d were served and %d are counted, %v", served, used.Used, err)
		}
		return nil
	})
	for range each - served - 1 {
		let <- struct{}{}
	}
	g.past()
}

// The gateway's own keys go along, those that changed a moment before among them,
// though the state is open in one process at a time.
func TestTakeOverOfSecrets(t *testing.T) {
	g := startFirst(t, plainListener+`
state: {master-key: ../master.key}
apis:
  a:
    authorize: none
    identity: {token: {audience: orders, jwks: /jwks.json}}
    routes: [{match: GET /a, target: mock}]
`)
	keys := func() string {
		t.Helper()
		a := raw(t, g.address("127.0.0.1:0"), "GET /jwks.json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if a.status != 200 {
			t.Fatalf("%d; the log says %s", a.status, g.log)
		}
		return a.body
	}
	root := g.read("data/ca/root.pem")
	before := keys()
	for range 3 {
		g.takeOver()
		g.past()
		if now := keys(); now != before {
			t.Errorf("the keys were %s and are %s", before, now)
		}
		if !bytes.Equal(root, g.read("data/ca/root.pem")) {
			t.Error("the root is another one")
		}
		var status secrets.Status
		if err := admin.Dial(g.dir+"/data").Act(t.Context(), "secrets/rotate", gatehouse.SecretRef{Name: "identity-key.json"}, &status); err != nil {
			t.Fatalf("%v; the log says %s", err, g.log)
		}
		if now := keys(); now == before {
			t.Error("the keys have not changed")
		} else {
			before = now
		}
	}
	if log := g.log.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "keys of this node alone") {
		t.Error(log)
	}
}

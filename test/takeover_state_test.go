package test

import (
	"testing"

	"gatehouse"
	"gatehouse/admin"
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

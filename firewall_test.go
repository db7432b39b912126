package gatehouse

import (
	"strings"
	"testing"
)

const ruled = `
listen: [{address: "127.0.0.1:0"}]
waf:
  edge: {rules: [{name: crs, core-rule-set: {paranoia: 2}}]}
  other: {rules: [{name: crs, core-rule-set: {paranoia: 2, budget: 2s}}, {name: more, core-rule-set: {paranoia: 3}}]}
apis: {a: {authorize: none, waf: edge, routes: [{match: GET /x, target: mock}]}}
`

// A rule set is compiled once for its content: for all ACLs of a configuration, and
// for the configurations that come after it.
func TestRuleSetsAreShared(t *testing.T) {
	one, err := LoadText("gatehouse.yaml", []byte(ruled))
	if err != nil {
		t.Fatal(err)
	}
	edge, other := one.acls["edge"].Sets(), one.acls["other"].Sets()
	if !edge[0].Shares(other[0]) || other[0].Shares(other[1]) {
		t.Errorf("shared %v, %v", edge[0].Shares(other[0]), other[0].Shares(other[1]))
	}
	two, err := LoadText("gatehouse.yaml", []byte(ruled))
	if err != nil {
		t.Fatal(err)
	}
	if two.acls["edge"].Sets()[0].Shares(edge[0]) {
		t.Error("shared before the reload")
	}
	two.adoptRules(one)
	if !two.acls["edge"].Sets()[0].Shares(edge[0]) || !two.acls["other"].Sets()[1].Shares(other[1]) {
		t.Error("not shared after the reload")
	}
}

func TestUnseenIsTold(t *testing.T) {
	cfg, err := LoadText("gatehouse.yaml", []byte(`
listen: [{address: "127.0.0.1:0"}]
waf:
  strict: {rules: [{name: crs, core-rule-set: {}}]}
  open: {inspect-body: {streams: continue}, rules: [{name: crs, core-rule-set: {}}]}
  heads: {rules: [{name: bots, when: {header: {name: user-agent, contains: bot}}, action: block}]}
apis:
  a:
    authorize: none
    routes:
      - {match: "GET /socket", target: "service:web", websocket: true, waf: strict}
      - {match: "POST /strict/{proxy*}", target: "service:calls", waf: strict}
      - {match: "POST /open/{proxy*}", target: "service:calls", waf: open}
      - {match: "GET /heads/{proxy*}", target: "service:calls", websocket: true, waf: heads}
      - {match: GET /plain, target: "service:web", waf: strict}
services:
  web: {targets: ["127.0.0.1:1"]}
  calls: {targets: ["127.0.0.1:2"], protocol: h2c}
`))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(cfg.Warnings(), "\n")
	for _, want := range []string{
		"gatehouse.yaml:11:9: the web ACL strict inspects the handshakes of WebSockets, and nothing of what follows",
		"gatehouse.yaml:12:9: the web ACL strict blocks gRPC calls to calls",
		"gatehouse.yaml:13:9: the web ACL open sees the heads of gRPC calls to calls, and none of their messages",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if n := strings.Count(all, "web ACL"); n != 3 {
		t.Errorf("%d warnings:\n%s", n, all)
	}
}

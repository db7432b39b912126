package gatehouse

import (
	"slices"
	"strings"
	"testing"
)

// What a web ACL cannot see is warned of, and so is one that nobody names.
func TestWebACLWarnings(t *testing.T) {
	const text = `
listen: [{address: "127.0.0.1:0"}]
waf:
  bodies: {rules: [{name: a, when: {body: {contains: x}}, action: block}, {name: g, rule-group: g}]}
  streams: {inspect-body: {streams: continue}, rules: [{name: a, when: {body: {contains: x}}, action: block}]}
  heads: {rules: [{name: a, when: {path: /x}, action: block}]}
  nobody: {rules: [{name: a, when: {path: /x}, action: block}]}
waf-rule-groups:
  g: {rules: [{name: a, when: {path: /x}, action: block}]}
  h: {rules: [{name: a, when: {path: /x}, action: block}]}
apis:
  shop:
    domains: [a.test]
    authorize: none
    waf: bodies
    routes:
      - {match: GET /a, target: "service:rpc"}
      - {match: GET /b, target: "service:rpc"}
      - {match: GET /c, target: "service:plain", websocket: true}
      - {match: GET /d, target: "service:rpc", waf: streams}
      - {match: GET /e, target: "service:rpc", waf: heads, websocket: true}
      - {match: GET /f, target: "service:rpc", waf: off}
services:
  rpc: {targets: ["127.0.0.1:1"], protocol: h2c}
  plain: {targets: ["127.0.0.1:1"]}
`
	cfg, err := LoadText("gatehouse.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range cfg.Warnings() {
		if strings.Contains(w, "web ACL") {
			got = append(got, w)
		}
	}
	want := []string{
		"gatehouse.yaml:7:3: no API, stage or route names the web ACL nobody",
		"gatehouse.yaml:10:3: no web ACL names the rule group h",
		"gatehouse.yaml:17:9: GET /a: the web ACL bodies inspects bodies, and those of gRPC calls cannot be awaited: it blocks the calls. Write inspect-body: {streams: continue} to let them pass unseen",
		"gatehouse.yaml:19:50: GET /c: the web ACL bodies sees the request that opens a WebSocket, and nothing of what passes in it",
		"gatehouse.yaml:20:9: GET /d: the web ACL streams sees the heads of gRPC calls, and none of their messages",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}

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

// The web ACL of the design, to the letter.
func TestWebACLOfTheDesign(t *testing.T) {
	const text = `
listen: [{address: "127.0.0.1:0"}]
apis: {shop: {domains: [a.test], authorize: none, waf: edge, routes: [{match: GET /a, target: mock}]}}
waf:
  edge:
    default: allow
    inspect-body: {limit: 64KiB, beyond: block}           # block | continue
    ip-sets: {office: [192.0.2.0/24]}
    rules:                                                # in this order
      - {name: office, when: {ip-set: office}, action: allow}
      - {name: embargo, when: {country: [KP]}, action: block}
      - {name: flood, when: {rate: {limit: 2000, window: 5m, key: ip}}, action: block}
      - {name: crs, core-rule-set: {paranoia: 1, mode: block}}       # block | count
`
	cfg, err := LoadText("gatehouse.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Warnings(); len(got) > 0 {
		t.Error(got)
	}
}

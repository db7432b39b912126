package config_test

import (
	"fmt"
	"strings"
	"testing"

	"gatehouse/config"
)

// What could not be read is told by key, so that nothing is concluded from it.
func TestBroken(t *testing.T) {
	for text, want := range map[string]string{
		"account: x\nlimits: {body: 1}\n": "",
		"limits: {body: x}":               "limits",
		"limits: {bdy: 1}":                "limits",
		"acount: x":                       "account",
		"zzzzzzzz: x":                     "account apis services limits log include zzzzzzzz", // whatever was meant
		"later: x":                        "",
		"limits: []":                      "limits",
		"account: ${env:ABSENT}":          "account",
		"log: {}":                         "log",
		"apis: {a: {routes: [{match: x}, {target: y}]}}": "apis",
		"include: [absent.yaml]":                         "include",
		"account: [":                                     "nothing was read",
		"- a":                                            "account apis services limits log include zzzzzzzz",
	} {
		var got gateway
		_, err := config.LoadBytes("gw.yaml", []byte(text), &got, config.Options{Planned: map[string]string{"later": "later things"}, IncludeKeys: []string{"apis"}})
		var broken []string
		for _, key := range []string{"account", "apis", "services", "limits", "log", "include", "zzzzzzzz"} {
			if got.Broken(key) {
				broken = append(broken, key)
			}
		}
		if !got.Pos.IsValid() {
			broken = []string{"nothing was read"}
		}
		if (err == nil) != (want == "" && !strings.Contains(text, "later")) || strings.Join(broken, " ") != want {
			t.Errorf("%s: broken %q, not %q (%v)", text, broken, want, err)
		}
	}
}

// The parts of a section that could be read are there.
func TestPartsAreThere(t *testing.T) {
	var got gateway
	_, err := config.LoadBytes("gw.yaml", []byte("apis: {a: {domains: [x], public: 5, routes: [{match: x, per: q}, {match: [], target: y}, {target: z}]}, b: 5}\n"), &got, config.Options{})
	a := got.APIs["a"]
	if err == nil || a == nil || got.APIs["b"] == nil || a.Name != "a" || len(a.Domains) != 1 || len(a.Routes) != 3 {
		t.Fatalf("%v: %+v", err, got)
	}
	var said []string
	for _, r := range a.Routes {
		said = append(said, fmt.Sprintf("%s %v, %s %v, %v", r.Match, r.Broken("match"), r.Target, r.Broken("target"), r.Broken("per")))
	}
	if got, want := strings.Join(said, "; "), "x false,  false, true;  true, y false, false;  true, z false, false"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	if a.Broken("domains") || !a.Broken("public") || !a.Broken("routes") || !got.APIs["b"].Broken("domains") {
		t.Error("it is not told what could be read")
	}
}

// A key that is planned is no misspelling.
func TestPlanned(t *testing.T) {
	options := config.Options{Planned: map[string]string{"apis.*.waf": "web ACLs", "apis.*.routes.cache": "caches", "limit": "limits of another kind"}}
	_, err := config.LoadBytes("gw.yaml", []byte("limit: 5\napis: {waf: {waf: x, routes: [{match: x, cache: y, waf: z}]}}\n"), new(gateway), options)
	const want = `gw.yaml:1:1: limit: this version has no "limit" yet
    limit: 5
    ^
  hint: remove the key: limits of another kind come with a later version
gw.yaml:2:14: apis.waf.waf: this version has no "waf" yet
    apis: {waf: {waf: x, routes: [{match: x, cache: y, waf: z}]}}
                 ^
  hint: remove the key: web ACLs come with a later version
gw.yaml:2:42: apis.waf.routes[0].cache: this version has no "cache" yet
    apis: {waf: {waf: x, routes: [{match: x, cache: y, waf: z}]}}
                                             ^
  hint: remove the key: caches come with a later version
gw.yaml:2:52: apis.waf.routes[0].waf: unknown key "waf"
    apis: {waf: {waf: x, routes: [{match: x, cache: y, waf: z}]}}
                                                       ^
  hint: known: match, target, per`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

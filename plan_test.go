package gatehouse

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func mustLoad(t *testing.T, text string) *Config {
	t.Helper()
	cfg, err := LoadText(t.TempDir()+"/gatehouse.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

const planText = `
listen: [{address: "127.0.0.1:0"}]
apis:
  shop:
    authorize: customers
    authorizers: {customers: {jwt: {issuer: i, audience: a, secret: "%s"}}}
    routes:
      - {match: GET /orders, target: "service:orders", timeout: %s}
      - {match: %s, target: mock, authorize: none}
services:
  orders: {targets: ["127.0.0.1:%d"]}
`

func TestPlan(t *testing.T) {
	secret := strings.Repeat("s", 32)
	before := mustLoad(t, fmt.Sprintf(planText, secret, "1s", "GET /mock", 1)).Routes()
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", fmt.Sprintf(planText, secret, "1s", "GET /mock", 1), "[]"},
		{"lines moved", "# a line\n" + fmt.Sprintf(planText, secret, "1s", "GET /mock", 1), "[]"},
		{"timeout", fmt.Sprintf(planText, secret, "2s", "GET /mock", 1), "[changed GET /orders [timeout]]"},
		{"service", fmt.Sprintf(planText, secret, "1s", "GET /mock", 2), "[changed GET /orders [target]]"},
		{"secret", fmt.Sprintf(planText, strings.Repeat("t", 32), "1s", "GET /mock", 1), "[changed GET /orders [authorize]]"},
		{"compress", strings.Replace(fmt.Sprintf(planText, secret, "1s", "GET /mock", 1), "authorize: customers", "authorize: customers\n    compress: true", 1), "[changed GET /mock [compress] changed GET /orders [compress]]"},
		{"limits of callers", strings.Replace(fmt.Sprintf(planText, secret, "1s", "GET /mock", 1), "authorize: customers", "authorize: customers\n    concurrent: 5", 1), "[changed GET /mock [concurrent] changed GET /orders [concurrent]]"},
		{"keys", strings.Replace(fmt.Sprintf(planText, secret, "1s", "GET /mock", 1), "authorize: none}", "authorize: none, api-key: required}", 1) + "usage-plans: {gold: {throttle: 1/s, apis: [shop]}}\n", "[changed GET /mock [api-key]]"},
		{"route", fmt.Sprintf(planText, secret, "1s", "PUT /mock", 1), "[added PUT /mock [] removed GET /mock []]"},
	} {
		var got []string
		for _, c := range Plan(before, mustLoad(t, tc.text).Routes()) {
			got = append(got, fmt.Sprintf("%s %s %v", c.Kind, c.Route, c.Sections))
		}
		if fmt.Sprint(got) != tc.want {
			t.Errorf("%s: got %v, want %s", tc.name, got, tc.want)
		}
	}
}

// The table is told to whoever may ask for it: nothing in it depends on a secret.
func TestRoutesTellNothingOfSecrets(t *testing.T) {
	var said []string
	for _, secret := range []string{strings.Repeat("s", 32), strings.Repeat("t", 32)} {
		data, err := json.Marshal(mustLoad(t, fmt.Sprintf(planText, secret, "1s", "GET /mock", 1)).Routes())
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, regexp.MustCompile(`"at":"[^"]*"`).ReplaceAllString(string(data), ""))
	}
	if said[0] != said[1] {
		t.Errorf("another secret shows in the table:\n%s\n%s", said[0], said[1])
	}
}

// What an API and a stage say for their routes is checked, whether or not a route
// leaves it to them.
func TestDefaultsNameAuthorizers(t *testing.T) {
	_, err := LoadText("gatehouse.yaml", []byte(`
listen: [{address: "127.0.0.1:0"}]
apis:
  shop:
    authorize: custmers
    authorizers: {customers: {jwt: {issuer: i, audience: a, jwks: development}}}
    stages: {prod: {authorize: {any: nobody, scopes: [a]}}}
    routes:
      - {match: GET /orders, target: mock, authorize: none}
`))
	for _, want := range []string{`gatehouse.yaml:5:16: unknown authorizer "custmers"`, `did you mean "customers"`, `gatehouse.yaml:7:38: unknown authorizer "nobody"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s in:\n%v", want, err)
		}
	}
}

// Routes that conditions alone tell apart are told apart.
func TestPlanOfNarrowedRoutes(t *testing.T) {
	const text = `
listen: [{address: "127.0.0.1:0"}]
apis:
  shop:
    authorize: none
    routes:
      - {match: {route: GET /, headers: {X-Version: "2"}, query: {beta: "*"}}, target: "mock:%d"}
      - {match: {route: GET /, headers: {x-version: "%d"}}, target: mock}
      - {match: GET /, target: mock}
`
	before := mustLoad(t, fmt.Sprintf(text, 200, 3)).Routes()
	if len(before) != 3 || before[0].Conditions != "x-version=2 ?beta=*" || before[2].Conditions != "" {
		t.Errorf("%+v", before)
	}
	var got []string
	for _, c := range Plan(before, mustLoad(t, fmt.Sprintf(text, 201, 4)).Routes()) {
		got = append(got, fmt.Sprintf("%s %s [%s] %v", c.Kind, c.Route, c.Conditions, c.Sections))
	}
	if want := "[changed GET / [x-version=2 ?beta=*] [target] added GET / [x-version=4] [] removed GET / [x-version=3] []]"; fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}

// What a route does not say must be an error, never an open door.
func TestEveryRouteSaysWhoMayCall(t *testing.T) {
	_, err := LoadText("gatehouse.yaml", []byte(`
listen: [{address: "127.0.0.1:0"}]
apis:
  shop:
    routes:
      - {match: GET /orders, target: mock}
      - {match: GET /other, target: "service:order", authorize: customer}
services: {orders: {targets: ["127.0.0.1:1"]}}
`))
	for _, says := range []string{"gatehouse.yaml:6:", "authorize: none to publish it", `did you mean "orders"?`, `unknown authorizer "customer"`} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want it to say %s", err, says)
		}
	}
}

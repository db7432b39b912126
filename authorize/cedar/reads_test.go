package cedar

import (
	"fmt"
	"testing"

	"gatehouse/exchange"
)

// What policies do not read is left out, and no decision is another for it.
func TestReads(t *testing.T) {
	for _, tc := range []struct {
		when string
		want reads
	}{
		{`principal.subject == "ann"`, 0},
		{`principal.scopes.contains("orders.read") && principal.claims has level`, 0},
		{`context.secure`, readSecure},
		{`context["method"] == "GET"`, readMethod},
		{`context has body`, readBody},
		{`context has body && context.body has amount && context.body.amount > 1`, readBody},
		{`context has parameters.id`, readParameters},
		{`context.parameters.id == "1" && context.host like "*.test"`, readParameters | readHost},
		{`[context.host, "a"].containsAny(["shop.test"])`, readHost},
		{`context.source.isInRange(ip("192.0.2.0/24"))`, readSource},
		{`context.time > datetime("2020-01-01")`, readTime},
		{`resource.path like "/orders/*"`, readPath},
		{`resource has stage && resource.stage == "prod" && resource.api == "shop"`, readStage | readAPI},
		{`(if principal.subject == "ann" then context else context).secure`, readContext},
		{`{"a": context}.a.secure`, readContext},
		{`{"Var": context.host}.Var == "shop.test"`, readHost},
		{`{"left": {"Var": resource}}.left.Var.path == "/orders/1"`, readResource},
		{`{"Value": context.host}["Value"] == "shop.test"`, readHost | readResource},
		{`{".": {"left": context.host, "attr": "x"}}["."].left == "shop.test"`, readHost},
		{`!(context == {})`, readContext},
		{`{"secure": true, "Value": {"Var": "context"}} == context`, readAll},
		{`Resource::"/orders/1".path == "/orders/1"`, readResource},
		{`[Resource::"/orders/1"].contains(resource) && Resource::"/orders/1".stage == "prod"`, readResource},
		{`resource.nothing == 1`, 0},
	} {
		for _, effect := range []string{"permit", "forbid"} {
			p, _ := compile(t, usual, "permit (principal, action, resource);\n"+effect+" (principal, action, resource) when { "+tc.when+" };")
			if len(p.list) != 2 {
				t.Fatalf("%s: no policy", tc.when)
			}
			for _, form := range []string{"when", "unless"} {
				one, _ := compile(t, usual, effect+" (principal, action, resource) "+form+" { "+tc.when+" };")
				if got := one.list[0].reads; got != tc.want {
					t.Errorf("%s { %s }: reads %b, want %b", form, tc.when, got, tc.want)
				}
			}
			sameDecisions(t, p, tc.when)
		}
	}
}

// sameDecisions holds decisions against those by all that there is.
func sameDecisions(t *testing.T, p *Policies, what string) {
	t.Helper()
	const route = "GET /orders/{id}"
	for _, id := range []string{"1", "2"} {
		for _, secure := range []bool{true, false} {
			x, _ := request(route, "/orders/"+id, "192.0.2."+id, "", caller("orders.read", nil), exchange.Param{Name: "id", Value: id})
			body, err := p.readBody([]byte(`{"amount": ` + id + `}`))
			if err != nil {
				t.Fatal(err)
			}
			k := p.routes[route]
			lean := p.Decide(x, secure, body)
			before := k.reads
			k.reads = readAll
			full := p.Decide(x, secure, body)
			k.reads = before
			if fmt.Sprint(lean) != fmt.Sprint(full) {
				t.Errorf("%s, %s %v:\n%+v\n%+v by all that there is", what, id, secure, lean, full)
			}
		}
	}
}

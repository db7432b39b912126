package authorize

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/iam"
	"gatehouse/iam/policy"
)

const users = `
users:
  ci:
    policies:
      - Version: 2012-10-17
        Statement:
          - {Sid: Read, Effect: Allow, Action: "execute-api:Invoke", Resource: ["arn:aws:execute-api:*:*:shop/prod/GET/*", "arn:aws:execute-api:*:*:shop/prod/*/inbox/${aws:username}/*"]}
          - {Sid: Secret, Effect: Deny, Action: "*", Resource: "arn:aws:execute-api:*:*:shop/prod/GET/secret*"}
  nobody: {}
`

func knownUsers(t testing.TB) *iam.Directory {
	t.Helper()
	var c iam.Config
	if _, err := config.LoadBytes("iam.yaml", []byte(users), &c, config.Options{}); err != nil {
		t.Fatal(err)
	}
	return iam.Compile(&c, "123456789012", "local", nil)
}

func resourcePolicy(t testing.TB, text string) *policy.Policy {
	t.Helper()
	if text == "" {
		return nil
	}
	var r config.Report
	doc := policy.Parse("api.json", []byte(text), policy.Resource, &r)
	if doc == nil {
		t.Fatal(config.NewErrors(&r, nil))
	}
	return policy.Compile(doc, policy.Scope{Name: "api.json", Filter: "authorize", API: "arn:aws:execute-api:local:123456789012:shop"})
}

func TestByPolicy(t *testing.T) {
	d := knownUsers(t)
	token := exchange.NewPrincipal("jwt", "i", "ci") // not the user ci
	const inside = `{"Statement":{"Sid":"Inside","Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}}`
	const outside = `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},{"Sid":"Out","Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}]}`
	for _, tc := range []struct {
		name         string
		who          *exchange.Principal
		request      string
		resource     string
		ip           string
		want         int
		rule, reason string // of the last step
		messageHas   string
	}{
		{"allowed", d.User("ci").Known, "GET /beta/orders/42", "", "", 200, "iam: policy of user ci #1 Read", "", ""},
		{"a final slash says nothing", d.User("ci").Known, "GET /beta/secret/", "", "", 403, "iam: policy of user ci #1 Secret", "denied", "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:local:********9012:shop/prod/GET/secret with an explicit deny"},
		{"HEAD is GET", d.User("ci").Known, "HEAD /beta/orders", "", "", 200, "iam: policy of user ci #1 Read", "", ""},
		{"HEAD of what GET may not", d.User("ci").Known, "HEAD /beta/secrets", "", "", 403, "iam: policy of user ci #1 Secret", "denied", ""},
		{"another method", d.User("ci").Known, "POST /beta/orders", "", "", 403, "iam: the caller's policies must allow it", "not-allowed", "on resource: arn:aws:execute-api:local:********9012:shop/prod/POST/orders"},
		{"a method in small letters", d.User("ci").Known, "get /beta/orders", "", "", 403, "iam: the caller's policies must allow it", "not-allowed", ""},
		{"its own inbox", d.User("ci").Known, "POST /beta/inbox/ci/1", "", "", 200, "iam: policy of user ci #1 Read", "", ""},
		{"another's inbox", d.User("ci").Known, "POST /beta/inbox/ann/1", "", "", 403, "iam: the caller's policies must allow it", "not-allowed", ""},
		{"an encoded slash is none", d.User("ci").Known, "POST /beta/inbox%2Fci/1", "", "", 403, "iam: the caller's policies must allow it", "not-allowed", "shop/prod/POST/inbox%2Fci/1"},
		{"the root", d.User("ci").Known, "GET /beta", "", "", 200, "iam: policy of user ci #1 Read", "", ""},
		{"no policies", d.User("nobody").Known, "GET /beta/orders", "", "", 403, "iam: the caller's policies must allow it", "not-allowed", ""},
		{"no policies, and the API's", d.User("nobody").Known, "GET /beta/orders", inside, "10.1.2.3", 200, "iam: api.json Inside", "", ""},
		{"no policies, and the API's not", d.User("nobody").Known, "GET /beta/orders", inside, "192.0.2.1", 403, "iam: the caller's policies must allow it", "not-allowed", ""},
		{"denied by the API's", d.User("ci").Known, "GET /beta/orders", outside, "192.0.2.1", 403, "iam: api.json Out", "denied", ""},
		{"another kind of caller", token, "GET /beta/orders", "", "", 200, "", "", ""},
		{"another kind of caller, and the API's", token, "GET /beta/orders", inside, "10.1.2.3", 200, "iam: api.json Inside", "", ""},
		{"another kind of caller, and the API's not", token, "GET /beta/orders", inside, "192.0.2.1", 403, "iam: the resource's policy must allow it", "not-allowed", "User: anonymous is not authorized"},
		{"a stranger, and the API's", nil, "GET /beta/orders", inside, "::ffff:10.1.2.3", 200, "iam: api.json Inside", "", ""},
		{"a stranger, and the API's not", nil, "GET /beta/orders", inside, "192.0.2.1", 403, "iam: the resource's policy must allow it", "not-allowed", ""},
		{"a stranger without any", nil, "GET /beta/orders", "", "", 200, "", "", ""},
	} {
		rights := &Rights{ARN: "arn:aws:execute-api:local:123456789012:shop/prod", Skip: 1, HeadIsGet: true, Resource: resourcePolicy(t, tc.resource), Account: "123456789012", Region: "local"}
		method, target, _ := strings.Cut(tc.request, " ")
		rec := httptest.NewRecorder()
		x, r := exchange.Begin(rec, httptest.NewRequest(method, target, nil), &exchange.Conn{}, nil)
		if err := x.Path.Parse(target); err != nil {
			t.Fatal(err)
		}
		x.Principal = tc.who
		if tc.ip != "" {
			x.Client = netip.MustParseAddr(tc.ip)
		}
		served := false
		ByPolicy(rights)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served = true })).ServeHTTP(&x.Writer, r)
		x.Finish()
		rule, reason := "", ""
		if steps := x.Trail.Steps(); len(steps) > 0 {
			rule = steps[len(steps)-1].Rule.Name
		}
		if x.Refused != nil {
			reason = x.Refused.Reason
		}
		if rec.Code != tc.want || served != (tc.want == 200) || rule != tc.rule || reason != tc.reason {
			t.Errorf("%s: %d by %q: %q", tc.name, rec.Code, rule, reason)
		}
		if tc.messageHas != "" && !strings.Contains(x.Refused.Message, tc.messageHas) {
			t.Errorf("%s: %s", tc.name, x.Refused.Message)
		}
		if tc.want == 403 && (rec.Header().Get("X-Amzn-Errortype") != "AccessDeniedException" || method == "GET" && !strings.Contains(rec.Body.String(), `{"message":"User: `)) {
			t.Errorf("%s: %v %s", tc.name, rec.Header(), rec.Body)
		}
	}
	if ByPolicy(nil) != nil {
		t.Error("a filter without rights")
	}
}

// A decision on the way of a request allocates nothing.
func TestDecideAllocatesNothing(t *testing.T) {
	d := knownUsers(t)
	p := ByPolicy(&Rights{ARN: "arn:aws:execute-api:local:123456789012:shop/prod", Account: "123456789012", Region: "local"})(nil).(*policies)
	x, r := exchange.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/orders/42", nil), &exchange.Conn{TLS: true}, nil)
	_ = x.Path.Parse("/orders/42")
	caller := whoIs(d.User("ci").Known)
	if n := testing.AllocsPerRun(100, func() {
		if !p.decide(x, r, caller).Allowed {
			t.Fatal("denied")
		}
	}); n > 0 && !race {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDecide(b *testing.B) {
	d := knownUsers(b)
	p := ByPolicy(&Rights{ARN: "arn:aws:execute-api:local:123456789012:shop/prod", Account: "123456789012", Region: "local"})(nil).(*policies)
	x, r := exchange.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/orders/42", nil), &exchange.Conn{TLS: true}, nil)
	_ = x.Path.Parse("/orders/42")
	caller := whoIs(d.User("ci").Known)
	b.ReportAllocs()
	for b.Loop() {
		p.decide(x, r, caller)
	}
}

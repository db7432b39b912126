package custom

import (
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/auth/scheme"
	"gatehouse/config"
	"gatehouse/exchange"
)

type document struct {
	config.At
	HTTP *Config `yaml:"http"`
}

func load(text string) (*Config, error) {
	var d document
	_, err := config.LoadBytes("c.yaml", []byte(text), &d, config.Options{})
	return d.HTTP, err
}

// program is a program that is asked.
type asked struct {
	*httptest.Server
	times atomic.Int64
	mu    sync.Mutex
	event map[string]any
	serve func(w http.ResponseWriter, event map[string]any)
}

func newProgram(t testing.TB) *asked {
	p := &asked{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.times.Add(1)
		var event map[string]any
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &event)
		p.mu.Lock()
		p.event = event
		serve := p.serve
		p.mu.Unlock()
		serve(w, event)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *asked) answers(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serve = func(w http.ResponseWriter, _ map[string]any) { _, _ = io.WriteString(w, text) }
}

func authorizer(t testing.TB, p *asked, options string) *Authorizer {
	t.Helper()
	c, err := load(`http: {url: "` + p.URL + `/check?code=secret"` + options + `}`)
	if err != nil {
		t.Fatal(err)
	}
	k := NewKeeper(func(*x509.CertPool, bool) *http.Client { return &http.Client{Transport: &http.Transport{}} })
	t.Cleanup(k.Close)
	l := k.Begin()
	a, err := l.Authorizer(c, "shop", "123456789012", "local")
	if err != nil {
		t.Fatal(err)
	}
	l.Commit()
	return a
}

// judge has a request judged as one of the route GET /orders/{id}.
func judge(a *Authorizer, method, target string, header http.Header) (scheme.Verdict, *exchange.Exchange) {
	r := httptest.NewRequest(method, "https://api.shop.test"+target, nil)
	for name, values := range header {
		r.Header[name] = values
	}
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{TLS: true}, nil)
	_ = x.Path.Parse(target)
	x.API, x.Stage, x.Route, x.Verb, x.Host = "shop", "prod", "GET /orders/{id}", method, "api.shop.test"
	x.Client = netip.MustParseAddr("192.0.2.1")
	x.Params = append(x.Params, exchange.Param{Name: "id", Value: "42"})
	return a.Authenticate(x, r), x
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

const allowOrders = `{"principalId": "ann", "usageIdentifierKey": "k-1", "context": {"tier": "gold", "n": 3},
	"policyDocument": {"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:local:123456789012:shop/prod/GET/orders/*"},
		{"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:*:shop/*/*/orders/13"}]}}`

// A remembered policy decides about every request anew.
func TestPolicyByRequest(t *testing.T) {
	p := newProgram(t)
	p.answers(allowOrders)
	a := authorizer(t, p, `, format: "1.0"`)
	for _, tc := range []struct {
		method, target string
		want           int
	}{
		{"GET", "/orders/42", 0}, {"GET", "/orders/13", 403}, {"DELETE", "/orders/42", 403}, {"GET", "/customers", 403}, {"GET", "/orders/42/lines", 0},
	} {
		v, _ := judge(a, tc.method, tc.target, bearer("t"))
		if v.Status != tc.want || (v.Principal != nil) != (tc.want == 0) || !v.Found {
			t.Errorf("%s %s: %+v", tc.method, tc.target, v)
		}
		if tc.want == 403 && (v.Type != "AccessDeniedException" || strings.HasSuffix(v.Message, "explicit deny") != (tc.target == "/orders/13")) {
			t.Errorf("%s %s: %+v", tc.method, tc.target, v)
		}
		if who := v.Principal; who != nil && (who.ID != "custom:"+p.URL+"/check|ann" || who.Claims["tier"] != "gold" || who.UsageKey != "k-1") {
			t.Errorf("%+v", who)
		}
	}
	if n := p.times.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if v, _ := judge(a, "GET", "/orders/42", bearer("T")); v.Principal == nil || p.times.Load() != 2 {
		t.Errorf("another token: %+v, asked %d times", v, p.times.Load())
	}
}

// A yes to one route is none to another.
func TestYesByRoute(t *testing.T) {
	p := newProgram(t)
	p.answers(`{"isAuthorized": true}`)
	a := authorizer(t, p, "")
	for range 2 {
		if v, _ := judge(a, "GET", "/orders/42", bearer("t")); v.Principal == nil {
			t.Fatalf("%+v", v)
		}
	}
	r := httptest.NewRequest("GET", "/admin", nil)
	r.Header = bearer("t")
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{TLS: true}, nil)
	x.API, x.Stage, x.Route = "shop", "prod", "GET /admin"
	p.answers(`{"isAuthorized": false}`)
	if v := a.Authenticate(x, r); v.Status != 403 || p.times.Load() != 2 {
		t.Errorf("%+v, asked %d times", v, p.times.Load())
	}
}

func TestAnswers(t *testing.T) {
	p := newProgram(t)
	for _, tc := range []struct {
		answer string
		status int
		reason string
	}{
		{`{"isAuthorized": true, "context": {"a": {"b": 1}}}`, 0, ""},
		{`{"isAuthorized": false}`, 403, "denied"},
		{`{"isauthorized": true}`, 500, "authorizer-answer"},
		{`{"isAuthorized": "true"}`, 500, "authorizer-answer"},
		{`{"isAuthorized": null}`, 500, "authorizer-answer"},
		{`{}`, 500, "authorizer-answer"},
		{`[]`, 500, "authorizer-answer"},
		{`null`, 500, "authorizer-answer"},
		{`true`, 500, "authorizer-answer"},
		{``, 500, "authorizer-answer"},
		{`{"isAuthorized": true, "policyDocument": {}}`, 500, "authorizer-answer"},
		{`{"principalId": "a", "policyDocument": {}}`, 500, "authorizer-answer"},
		{`{"principalId": "a", "policyDocument": {"Version": "2012-10-17", "Statement": {"Effect": "Perhaps", "Action": "*", "Resource": "*"}}}`, 500, "authorizer-answer"},
		{`{"policyDocument": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}}`, 500, "authorizer-answer"},
		{`{"principalId": "a\nb", "isAuthorized": true}`, 500, "authorizer-answer"},
		{`{"principalId": "a", "policyDocument": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}}`, 0, ""},
		{`{"isAuthorized": true, "context": []}`, 500, "authorizer-answer"},
		{`{"isAuthorized": true, "x": "` + strings.Repeat("x", maxAnswer) + `"}`, 503, "authorizer-unreachable"},
	} {
		p.answers(tc.answer)
		v, _ := judge(authorizer(t, p, ", ttl: 0s"), "GET", "/orders/1", bearer("t"))
		if v.Status != tc.status || v.Reason != tc.reason || (v.Principal != nil) != (tc.status == 0) {
			t.Errorf("%.80s: %d %s %s", tc.answer, v.Status, v.Reason, v.Detail)
		}
		if strings.Contains(v.Detail, "secret") {
			t.Errorf("the URL's query is shown: %s", v.Detail)
		}
	}
	for status, want := range map[int]string{401: "0 denied", 403: "403 denied", 500: "503 authorizer-unreachable", 302: "503 authorizer-unreachable"} {
		p.mu.Lock()
		p.serve = func(w http.ResponseWriter, _ map[string]any) { w.WriteHeader(status) }
		p.mu.Unlock()
		v, _ := judge(authorizer(t, p, ""), "GET", "/orders/1", bearer("t"))
		if got := strings.TrimSpace(statusText(v.Status) + " " + v.Reason); got != want || v.Principal != nil {
			t.Errorf("%d: %s, want %s", status, got, want)
		}
	}
}

func statusText(n int) string { b, _ := json.Marshal(n); return string(b) }

// Nobody is asked about who does not say what is wanted.
func TestIdentity(t *testing.T) {
	p := newProgram(t)
	p.answers(`{"isAuthorized": true}`)
	for _, tc := range []struct {
		name, options, target string
		header                http.Header
		want                  string // "none", "good" or a reason
	}{
		{"nothing", "", "/a", nil, "none"},
		{"another header", "", "/a", http.Header{"X-Token": {"a"}}, "none"},
		{"the header", "", "/a", bearer("t"), "good"},
		{"two of it", "", "/a", http.Header{"Authorization": {"a", "b"}}, "malformed"},
		{"one of two", ", identity: [header.X-A, query.token]", "/a", http.Header{"X-A": {"a"}}, "no-identity"},
		{"both", ", identity: [header.X-A, query.token]", "/a?token=x", http.Header{"X-A": {"a"}}, "good"},
		{"API Gateway's words", ", identity: [$request.header.X-A, method.request.querystring.token]", "/a?token=x", http.Header{"X-A": {"a"}}, "good"},
		{"a stage variable that is missing", ", identity: [header.X-A, stageVariables.tier]", "/a", http.Header{"X-A": {"a"}}, "no-identity"},
		{"a context variable", ", identity: [cookie.sid, context.identity.sourceIp]", "/a", http.Header{"Cookie": {"sid=1"}}, "good"},
		{"the form of a token", `, type: token, match: "Bearer [a-z]+"`, "/a", bearer("abc"), "good"},
		{"another form", `, type: token, match: "Bearer [a-z]+"`, "/a", bearer("abc1"), "malformed"},
	} {
		before := p.times.Load()
		v, _ := judge(authorizer(t, p, tc.options), "GET", tc.target, tc.header)
		got := v.Reason
		switch {
		case v.Principal != nil:
			got = "good"
		case !v.Found:
			got = "none"
		}
		if got != tc.want || (p.times.Load() > before) != (tc.want == "good") {
			t.Errorf("%s: %s (%s), asked %d times", tc.name, got, v.Detail, p.times.Load()-before)
		}
	}
}

// Values cannot be moved from one source into another.
func TestIdentityIsWhole(t *testing.T) {
	p := newProgram(t)
	p.answers(`{"isAuthorized": true}`)
	a := authorizer(t, p, ", identity: [header.X-A, header.X-B]")
	judge(a, "GET", "/a", http.Header{"X-A": {"ab"}, "X-B": {"c"}})
	judge(a, "GET", "/a", http.Header{"X-A": {"a"}, "X-B": {"bc"}})
	if n := p.times.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestEvents(t *testing.T) {
	p := newProgram(t)
	p.answers(`{"isAuthorized": true}`)
	header := http.Header{"Authorization": {"Bearer t"}, "Cookie": {"a=1; b=2"}, "X-Two": {"1", "2"}}
	const arn = "arn:aws:execute-api:local:123456789012:shop/prod/GET/orders/42"
	for options, want := range map[string]map[string]any{
		", type: token":   {"type": "TOKEN", "methodArn": arn, "authorizationToken": "Bearer t"},
		`, format: "1.0"`: {"type": "REQUEST", "methodArn": arn, "resource": "/orders/{id}", "path": "/orders/42", "httpMethod": "GET", "version": "1.0"},
		"":                {"type": "REQUEST", "routeArn": arn, "routeKey": "GET /orders/{id}", "rawPath": "/orders/42", "rawQueryString": "q=1&q=2", "version": "2.0"},
	} {
		v, x := judge(authorizer(t, p, options), "GET", "/orders/42?q=1&q=2", header)
		if v.Principal == nil {
			t.Fatalf("%s: %+v", options, v)
		}
		for name, value := range want {
			if p.event[name] != value {
				t.Errorf("%s: %s is %v, want %v", options, name, p.event[name], value)
			}
		}
		if options == ", type: token" {
			if len(p.event) != 3 {
				t.Errorf("%v", p.event)
			}
			continue
		}
		of := func(path ...string) any {
			var at any = p.event
			for _, name := range path {
				m, _ := at.(map[string]any)
				at = m[name]
			}
			b, _ := json.Marshal(at)
			return string(b)
		}
		var checks map[string]string
		if options == "" {
			checks = map[string]string{"cookies": `["a=1","b=2"]`, "headers x-two": `"1,2"`, "queryStringParameters q": `"1,2"`, "identitySource": `["Bearer t"]`, "requestContext http sourceIp": `"192.0.2.1"`, "pathParameters id": `"42"`, "requestContext requestId": `"` + x.ID + `"`}
		} else {
			checks = map[string]string{"headers X-Two": `"2"`, "multiValueHeaders X-Two": `["1","2"]`, "multiValueQueryStringParameters q": `["1","2"]`, "requestContext identity sourceIp": `"192.0.2.1"`, "pathParameters id": `"42"`}
		}
		for path, value := range checks {
			if got := of(strings.Fields(path)...); got != value {
				t.Errorf("%s: %s is %v, want %s", options, path, got, value)
			}
		}
	}
}

// However many ask at once, the program is asked once; and a client who goes does
// not take the answer of the others with it.
func TestOnce(t *testing.T) {
	p := newProgram(t)
	begun, go_ := make(chan struct{}), make(chan struct{})
	p.serve = func(w http.ResponseWriter, _ map[string]any) {
		close(begun)
		<-go_
		_, _ = io.WriteString(w, `{"isAuthorized": true}`)
	}
	a := authorizer(t, p, "")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if v, _ := judge(a, "GET", "/orders/1", bearer("t")); v.Principal == nil {
				t.Errorf("%+v", v)
			}
		})
	}
	<-begun
	close(go_)
	all.Wait()
	if n := p.times.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestSlowProgram(t *testing.T) {
	p := newProgram(t)
	stop := make(chan struct{})
	p.serve = func(http.ResponseWriter, map[string]any) { <-stop }
	defer close(stop)
	begin := time.Now()
	v, _ := judge(authorizer(t, p, ", timeout: 100ms"), "GET", "/orders/1", bearer("t"))
	if v.Status != 503 || time.Since(begin) > 5*time.Second {
		t.Errorf("%+v after %v", v, time.Since(begin))
	}
}

func TestConfig(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{`{url: "https://auth.test/x"}`, ""},
		{`{url: "http://127.0.0.1:1/x"}`, ""},
		{`{url: "http://auth.test/x"}`, "plain text"},
		{`{url: "http://auth.test/x", insecure: true}`, ""},
		{`{url: "ftp://auth.test/x"}`, "no URL"},
		{`{url: "https://a:b@auth.test/x"}`, "no URL"},
		{`{url: "https://auth.test/x", ttl: 2h}`, "1h"},
		{`{url: "https://auth.test/x", identity: []}`, "ttl: 0s"},
		{`{url: "https://auth.test/x", identity: [], ttl: 0s}`, ""},
		{`{url: "https://auth.test/x", identity: context.path}`, "ttl: 0s"},
		{`{url: "https://auth.test/x", identity: context.nothing}`, "no source"},
		{`{url: "https://auth.test/x", identity: body.x}`, "no source"},
		{`{url: "https://auth.test/x", type: token, identity: query.token}`, "one header"},
		{`{url: "https://auth.test/x", match: "a+"}`, "type: token"},
		{`{url: "https://auth.test/x", type: token, match: "("}`, "missing"},
		{`{url: "https://auth.test/x", format: "3.0"}`, "1.0"},
	} {
		_, err := load("http: " + tc.text)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.text, err, tc.want)
		}
	}
}

// FuzzAnswer holds that no answer lets anybody pass whom it does not name, and
// none panics.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{allowOrders, `{"isAuthorized": true}`, `{"isAuthorized":false,"context":{"a":null}}`, `{"principalId":1}`, `{`, `{"policyDocument":{"Statement":[]},"principalId":"a"}`} {
		f.Add([]byte(seed))
	}
	p := newProgram(f)
	a := authorizer(f, p, "")
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := a.read(body, "who")
		if err != nil {
			return
		}
		if o.principal == nil || o.principal.Subject == "" || o.allowed && o.caller != nil {
			t.Errorf("%q: %+v", body, o)
		}
	})
}

func BenchmarkRemembered(b *testing.B) {
	p := newProgram(b)
	p.answers(allowOrders)
	a := authorizer(b, p, `, format: "1.0"`)
	r := httptest.NewRequest("GET", "https://api.shop.test/orders/42", nil)
	r.Header = bearer("eyJhbGciOiJSUzI1NiJ9.e30.x")
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{TLS: true}, nil)
	_ = x.Path.Parse("/orders/42")
	x.API, x.Stage, x.Route, x.Verb = "shop", "prod", "GET /orders/{id}", "GET"
	b.ReportAllocs()
	for b.Loop() {
		if a.Authenticate(x, r).Principal == nil {
			b.Fatal()
		}
	}
}

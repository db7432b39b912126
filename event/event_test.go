package event

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/exchange"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

type rights string

func (r rights) ARN() string { return string(r) }

// request makes a Request of the things that a fixture tells.
func request(t testing.TB, method, target string, header http.Header, body string) *Request {
	t.Helper()
	r := httptest.NewRequest(method, "https://api.shop.test"+target, nil)
	r.Header = header
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{TLS: true}, nil)
	if err := x.Path.Parse(target); err != nil {
		t.Fatal(err)
	}
	x.API, x.Stage, x.Host = "shop", "prod", "api.shop.test"
	x.Client = netip.MustParseAddr("192.0.2.1")
	return &Request{Exchange: x, HTTP: r, Body: []byte(body), Account: "123456789012"}
}

// decode decodes an event as a type of aws-lambda-go's, which must know every
// member of it.
func decode[T any](t testing.TB, event []byte, unknown ...string) T {
	t.Helper()
	var out T
	if err := json.Unmarshal(event, &out); err != nil {
		t.Fatalf("%v\n%s", err, event)
	}
	var all map[string]any
	if err := json.Unmarshal(event, &all); err != nil {
		t.Fatal(err)
	}
	for _, name := range unknown {
		delete(all, name)
	}
	text, _ := json.Marshal(all)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(new(T)); err != nil {
		t.Errorf("aws-lambda-go does not know: %v\n%s", err, event)
	}
	return out
}

// fixture reads one of aws-lambda-go's own.
func fixture[T any](t *testing.T, name string) T {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-lambda-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "events/testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var out T
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// What API Gateway sent for a REST API's request, we send for the same one.
func TestFixtureOne(t *testing.T) {
	want := fixture[events.APIGatewayProxyRequest](t, "apigw-request.json")
	header := make(http.Header)
	for name, values := range want.MultiValueHeaders {
		if name != "Host" {
			header[name] = values
		}
	}
	q := request(t, want.HTTPMethod, want.Path+"?name=me", header, want.Body)
	x, c := q.Exchange, &want.RequestContext
	q.HTTP.Host, q.Account = want.Headers["Host"], c.AccountID
	x.Host, x.ID, x.Stage, x.API, x.Proto = c.DomainName, c.RequestID, c.Stage, c.APIID, c.Protocol
	x.Route, x.Start = "ANY "+want.Resource, time.UnixMilli(c.RequestTimeEpoch)
	x.Client = netip.MustParseAddr(c.Identity.SourceIP)
	x.Params = []exchange.Param{{Name: "proxy", Value: "hello/world"}}
	x.Variables = want.StageVariables
	x.Principal = exchange.NewPrincipal("custom", "i", "admin")
	x.Principal.Claims = map[string]any{"clientId": json.Number("1"), "clientName": "Exata"}
	x.APIKey = &exchange.APIKey{ID: "theApiKeyId"}
	q.HTTP.Header["User-Agent"] = []string{want.Headers["User-Agent"]}

	text := bytes.Replace(AppendOne(nil, q), []byte(`"principalOrgId":null,`), nil, 1) // which AWS sends and the type lacks
	got := decode[events.APIGatewayProxyRequest](t, text, "version")
	want.RequestContext.Authorizer["clientId"] = "1" // contexts are texts
	ours := cmpopts.IgnoreFields(events.APIGatewayProxyRequestContext{}, "ResourceID", "ExtendedRequestID", "DomainPrefix")
	identity := cmpopts.IgnoreFields(events.APIGatewayRequestIdentity{}, "CognitoIdentityPoolID", "AccountID", "CognitoIdentityID", "Caller", "APIKey", "AccessKey",
		"CognitoAuthenticationType", "CognitoAuthenticationProvider", "UserArn", "User", "ClientCert", "UserAgent")
	if diff := cmp.Diff(want, got, ours, identity); diff != "" {
		t.Error(diff)
	}
}

func TestFixtureTwo(t *testing.T) {
	for name, caller := range map[string]func(x *exchange.Exchange, a *events.APIGatewayV2HTTPRequestContextAuthorizerDescription){
		"apigw-v2-request-no-authorizer.json": func(*exchange.Exchange, *events.APIGatewayV2HTTPRequestContextAuthorizerDescription) {},
		"apigw-v2-request-jwt-authorizer.json": func(x *exchange.Exchange, a *events.APIGatewayV2HTTPRequestContextAuthorizerDescription) {
			x.Principal = exchange.NewPrincipal("jwt", "i", "s")
			x.Principal.Claims = make(map[string]any)
			for k, v := range a.JWT.Claims {
				x.Principal.Claims[k] = v
			}
			x.Principal.Scopes = a.JWT.Scopes
		},
		"apigw-v2-request-lambda-authorizer.json": func(x *exchange.Exchange, a *events.APIGatewayV2HTTPRequestContextAuthorizerDescription) {
			x.Principal = exchange.NewPrincipal("custom", "i", "s")
			x.Principal.Claims = a.Lambda
		},
		"apigw-v2-request-iam.json": func(x *exchange.Exchange, a *events.APIGatewayV2HTTPRequestContextAuthorizerDescription) {
			x.Principal = exchange.NewPrincipal("iam", a.IAM.AccountID, a.IAM.UserID)
			x.Principal.Rights = rights(a.IAM.UserARN)
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := fixture[events.APIGatewayV2HTTPRequest](t, name)
			header := http.Header{"User-Agent": {want.RequestContext.HTTP.UserAgent}, "Content-Type": {"application/json"}}
			if want.Cookies != nil {
				header.Set("Cookie", strings.Join(want.Cookies, "; "))
			}
			for k, v := range want.Headers {
				header.Set(k, v)
			}
			q := request(t, want.RequestContext.HTTP.Method, want.RawPath+"?"+want.RawQueryString, header, want.Body)
			x, c := q.Exchange, &want.RequestContext
			q.Account = c.AccountID
			x.Host, x.ID, x.Stage, x.API, x.Route = c.DomainName, c.RequestID, c.Stage, c.APIID, want.RouteKey
			x.Start = time.UnixMilli(c.TimeEpoch)
			x.Variables = want.StageVariables
			for k, v := range want.PathParameters {
				x.Params = append(x.Params, exchange.Param{Name: k, Value: v})
			}
			caller(x, c.Authorizer)
			got := decode[events.APIGatewayV2HTTPRequest](t, AppendTwo(nil, q))
			for k, v := range want.Headers { // small letters, and those that we had to add
				delete(want.Headers, k)
				want.Headers[strings.ToLower(k)] = v
			}
			for _, name := range []string{"host", "user-agent", "content-type", "content-length"} {
				delete(got.Headers, name)
				delete(want.Headers, name)
			}
			opts := cmp.Options{
				cmpopts.IgnoreFields(events.APIGatewayV2HTTPRequestContext{}, "Authentication", "Time"),
				cmpopts.IgnoreFields(events.APIGatewayV2HTTPRequestContextHTTPDescription{}, "SourceIP"),
				cmpopts.IgnoreFields(events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{}, "AccessKey", "CallerID", "CognitoIdentity", "PrincipalOrgID"),
			}
			if diff := cmp.Diff(want, got, opts); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFixtureURL(t *testing.T) {
	want := fixture[events.LambdaFunctionURLRequest](t, "lambda-urls-request.json")
	header := http.Header{"Cookie": want.Cookies, "Header1": {"value1"}, "Header2": {"value1", "value2"}, "Content-Type": {"text/plain"}, "User-Agent": {"agent"}}
	q := request(t, "POST", want.RawPath+"?"+want.RawQueryString, header, want.Body)
	x := q.Exchange
	x.Host, x.ID, x.API, x.Start = want.RequestContext.DomainName, "id", want.RequestContext.APIID, time.UnixMilli(want.RequestContext.TimeEpoch)
	x.Principal = exchange.NewPrincipal("iam", "111122223333", "AIDA...")
	x.Principal.Rights = rights("arn:aws:iam::111122223333:user/example-user")
	text := AppendURL(nil, q)
	got := decode[events.LambdaFunctionURLRequest](t, text, "routeKey", "requestContext") // the type leaves out what AWS sends all the same
	for _, name := range []string{"host", "content-type", "user-agent"} {
		delete(got.Headers, name)
	}
	opts := cmp.Options{
		cmpopts.IgnoreFields(events.LambdaFunctionURLRequestContext{}, "Time"),
		cmpopts.IgnoreFields(events.LambdaFunctionURLRequestContextHTTPDescription{}, "SourceIP"),
		cmpopts.IgnoreFields(events.LambdaFunctionURLRequestContextAuthorizerIAMDescription{}, "AccessKey"),
	}
	if diff := cmp.Diff(want, got, opts); diff != "" {
		t.Error(diff)
	}
	if bytes.Contains(text, []byte("pathParameters")) || bytes.Contains(text, []byte("stageVariables")) {
		t.Errorf("%s", text)
	}
}

// Authorizers' events are known to aws-lambda-go.
func TestAuthorizerTypes(t *testing.T) {
	q := request(t, "GET", "/orders/42?q=1&q=2", http.Header{"Authorization": {"Bearer t"}, "Cookie": {"a=1; b=2"}}, "")
	q.Exchange.Route = "GET /orders/{id}"
	q.Exchange.Params = []exchange.Param{{Name: "id", Value: "42"}}
	if e := decode[events.APIGatewayCustomAuthorizerRequest](t, AppendToken(nil, "arn", "Bearer t")); e.Type != "TOKEN" || e.MethodArn != "arn" || e.AuthorizationToken != "Bearer t" {
		t.Errorf("%+v", e)
	}
	var one events.APIGatewayCustomAuthorizerRequestTypeRequest
	if err := json.Unmarshal(AppendAuthorizerOne(nil, q, "arn", []string{"Bearer t"}), &one); err != nil || one.Resource != "/orders/{id}" || one.PathParameters["id"] != "42" || len(one.MultiValueQueryStringParameters["q"]) != 2 {
		t.Errorf("%+v, %v", one, err)
	}
	two := decode[events.APIGatewayV2CustomAuthorizerV2Request](t, AppendAuthorizerTwo(nil, q, "arn", []string{"Bearer t"}))
	if two.RouteArn != "arn" || two.RouteKey != "GET /orders/{id}" || len(two.Cookies) != 2 || two.QueryStringParameters["q"] != "1,2" || two.RequestContext.HTTP.Method != "GET" {
		t.Errorf("%+v", two)
	}
}

// Absent maps and bodies are null in format 1.0, and not there in 2.0.
func TestAbsent(t *testing.T) {
	q := request(t, "GET", "/", http.Header{}, "")
	var one, two map[string]json.RawMessage
	if json.Unmarshal(AppendOne(nil, q), &one) != nil || json.Unmarshal(AppendTwo(nil, q), &two) != nil {
		t.Fatal()
	}
	for _, name := range []string{"queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "body"} {
		if string(one[name]) != "null" {
			t.Errorf("1.0: %s is %q", name, one[name])
		}
		if v, there := two[name]; there {
			t.Errorf("2.0: %s is %s", name, v)
		}
	}
	if _, there := two["cookies"]; there {
		t.Error("cookies")
	}
}

func TestBase64(t *testing.T) {
	for _, tc := range []struct {
		typ, encoding, body string
		binary              MediaTypes
		one, two            bool
	}{
		{"text/plain; charset=utf-8", "", "hi", nil, false, false},
		{"application/json", "", "{}", nil, false, false},
		{"application/vnd.api+json", "", "{}", nil, false, false},
		{"APPLICATION/XML", "", "<a/>", nil, false, false},
		{"application/x-www-form-urlencoded", "", "a=1", nil, false, true},
		{"", "", "a", nil, false, true},
		{"text/plain", "gzip", "a", nil, false, true},
		{"image/png", "", "a", nil, false, true},
		{"image/png", "", "a", MediaTypes{"image/*"}, true, true},
		{"text/plain", "", "a", MediaTypes{"*/*"}, true, false},
		{"text/plain", "", "\xff\x00", nil, true, true},
	} {
		q := request(t, "POST", "/", http.Header{}, tc.body)
		if tc.typ != "" {
			q.HTTP.Header["Content-Type"] = []string{tc.typ}
		}
		if tc.encoding != "" {
			q.HTTP.Header["Content-Encoding"] = []string{tc.encoding}
		}
		q.Binary = tc.binary
		for form, event := range map[bool][]byte{tc.one: AppendOne(nil, q), tc.two: AppendTwo(nil, q)} {
			_ = form
			var e struct {
				Body    string
				Base64  bool `json:"isBase64Encoded"`
				Version string
			}
			if err := json.Unmarshal(event, &e); err != nil {
				t.Fatal(err)
			}
			want := tc.two
			if e.Version == "1.0" {
				want = tc.one
			}
			if e.Base64 != want || !want && e.Body != tc.body {
				t.Errorf("%+v: version %s: %+v", tc, e.Version, e)
			}
		}
	}
}

// Whatever a client sends, the event is JSON, and says what it sent.
func FuzzEvent(f *testing.F) {
	f.Add("/a%20b/ü?q=1&q=2&%ff=%22", "X-A", "a\"\\\x01\u2028", "body\xff", "k=v; w")
	f.Add("/?a=&&b&c=%zz", "Content-Type", "text/plain", "{}", "")
	f.Fuzz(func(t *testing.T, target, name, value, body, cookie string) {
		r := httptest.NewRequest("POST", "https://a.test/", nil)
		x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, nil)
		if x.Path.Parse(target) != nil || !isToken(name) {
			return
		}
		name = http.CanonicalHeaderKey(name)
		r.Header = http.Header{name: {value}}
		if name != "Cookie" {
			r.Header["Cookie"] = []string{cookie}
		}
		x.Params = []exchange.Param{{Name: value, Value: body}}
		x.Variables = map[string]string{cookie: value}
		q := &Request{Exchange: x, HTTP: r, Body: []byte(body)}
		want, _ := url.ParseQuery(x.Path.Query)
		for _, event := range [][]byte{AppendOne(nil, q), AppendTwo(nil, q), AppendURL(nil, q), AppendAuthorizerOne(nil, q, value, []string{body}), AppendAuthorizerTwo(nil, q, value, []string{body, cookie})} {
			var e map[string]any
			if err := json.Unmarshal(event, &e); err != nil {
				t.Fatalf("%v\n%s", err, event)
			}
			if many, ok := e["multiValueQueryStringParameters"].(map[string]any); ok && len(want) > 0 && validText(want) {
				got := url.Values{}
				for k, list := range many {
					for _, v := range list.([]any) {
						got.Add(k, v.(string))
					}
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%q: %v, want %v", x.Path.Query, got, want)
				}
			}
		}
	})
}

func validText(v url.Values) bool {
	text, _ := json.Marshal(v)
	return !bytes.Contains(text, []byte(`\ufffd`)) && !bytes.Contains(text, []byte("\ufffd"))
}

func BenchmarkAppendTwo(b *testing.B) {
	q := request(b, "GET", "/orders/42?expand=lines&page=2", http.Header{"Accept": {"*/*"}, "User-Agent": {"curl/8.5.0"}, "X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Port": {"443"}, "X-Amzn-Trace-Id": {"Root=1-00000000-000000000000000000000000"}}, "")
	q.Exchange.Route = "GET /orders/{id}"
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendTwo(buf[:0], q)
	}
}

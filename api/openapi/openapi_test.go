package openapi

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"gatehouse/config"
)

// keys are some of a route's, as the root has them.
type keys struct {
	config.At
	Target    string            `yaml:"target"`
	Rewrite   config.Template   `yaml:"rewrite"`
	Authorize string            `yaml:"authorize"`
	Timeout   config.Duration   `yaml:"timeout"`
	Headers   map[string]change `yaml:"headers"`
	CORS      map[string]any    `yaml:"cors"`
	Compress  map[string]any    `yaml:"compress"`
	Validate  map[string]any    `yaml:"validate"`
	Responses map[string]any    `yaml:"gateway-responses"`
}

type change struct {
	Set    map[string]config.Template `yaml:"set"`
	Add    map[string]config.Template `yaml:"add"`
	Remove []string                   `yaml:"remove"`
}

// load reads a definition from a txtar archive: its first file, which may name
// the others. What stands under beside is said beside it.
func load(t testing.TB, archive *txtar.Archive, beside string) (*Definition[keys], *config.Sources, error) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range archive.Files {
		path := filepath.Join(dir, "d", f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var d struct {
		config.At
		Definition *Definition[keys] `yaml:"definition"`
	}
	text := "definition: {file: d/" + archive.Files[0].Name + beside + "}\n"
	sources, err := config.LoadBytes(filepath.Join(dir, "c.yaml"), []byte(text), &d, config.Options{})
	if all := config.AsErrors(err); all != nil {
		err = nil
		var b strings.Builder
		for _, p := range all.Problems() {
			b.WriteString(strings.TrimPrefix(p.Pos.String(), dir+"/") + ": ")
			if p.Path != "" {
				b.WriteString(p.Path + ": ")
			}
			b.WriteString(strings.ReplaceAll(p.Message, dir+"/", "") + "\n")
		}
		return d.Definition, sources, &told{b.String()}
	}
	return d.Definition, sources, err
}

type told struct{ text string }

func (e *told) Error() string { return e.text }

// TestErrors holds every problem of the definitions in testdata/errors against
// what stands behind "-- errors --", all of them at once.
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/errors/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		last := len(archive.Files) - 1
		want := string(archive.Files[last].Data)
		archive.Files = archive.Files[:last]
		_, _, err = load(t, archive, strings.TrimSpace(string(archive.Comment)))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

func definition(t testing.TB, text, beside string) *Definition[keys] {
	t.Helper()
	d, _, err := load(t, txtar.Parse([]byte("-- d.yaml --\n"+text)), beside)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const head = "openapi: 3.0.1\ninfo: {title: t, version: '1'}\n"

func TestOperations(t *testing.T) {
	d := definition(t, head+`
x-gatehouse-timeout: 9s
paths:
  x-note: passed over
  /a: {get: {}, post: {x-gatehouse-target: service:b}, x-gatehouse-authorize: none, summary: s, servers: []}
  /b/{id}: {x-amazon-apigateway-any-method: {}}
  /c/{proxy+}: {head: {}, patch: {}}
  /$default: {x-amazon-apigateway-any-method: {}}
`, "")
	var got []string
	for _, o := range d.Operations {
		text := o.Match()
		if o.Keys != nil {
			text += " " + o.Keys.Target
		}
		if o.PathKeys != nil {
			text += " " + o.PathKeys.Authorize
		}
		got = append(got, text)
	}
	want := []string{"GET /a none", "POST /a service:b none", "ANY /b/{id}", "HEAD /c/{proxy+}", "PATCH /c/{proxy+}", "ANY /{proxy*}"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if d.Keys.Timeout.String() != "9s" || d.Operations[0].PathKeys != d.Operations[1].PathKeys {
		t.Error("the root's and the path's keys")
	}
	if at := d.Operations[1].At; at.Line != 7 || !strings.HasSuffix(at.File, "d.yaml") {
		t.Error(at)
	}
}

func TestBasePath(t *testing.T) {
	aws := "servers: [{url: 'https://x.example/{basePath}', variables: {basePath: {default: /prod}}}]\npaths: {/a: {get: {}}}\n"
	for _, tc := range []struct{ text, beside, want string }{
		{head + aws, "", "/a"},
		{head + aws, ", base-path: prepend", "/prod/a"},
		{head + "servers: [{url: /v1/}]\npaths: {/a: {get: {}}}\n", ", base-path: prepend", "/v1/a"},
		{head + "servers: [{url: 'https://x.example'}]\npaths: {/a: {get: {}}}\n", ", base-path: prepend", "/a"},
		{head + "paths: {/a: {get: {}}}\n", ", base-path: prepend", "/a"},
		{"swagger: '2.0'\nbasePath: /v2\npaths: {/a: {get: {}}}\n", ", base-path: prepend", "/v2/a"},
		{"swagger: '2.0'\nbasePath: /v2\npaths: {/a: {get: {}}}\n", "", "/a"},
	} {
		if got := definition(t, tc.text, tc.beside).Operations[0].Path; got != tc.want {
			t.Errorf("%s%s: got %s, want %s", tc.text, tc.beside, got, tc.want)
		}
	}
}

func TestIntegrations(t *testing.T) {
	variables := map[string]string{"host": "orders.test:8080", "link": "abc123", "bad": "a@b", "scheme": "https"}
	for _, tc := range []struct{ path, integration, beside, want string }{
		{"/o/{id}", `{type: http_proxy, uri: "http://h.test/v1/o/{id}"}`, "", "http://h.test /v1/o/{id}"},
		{"/o/{id}", `{type: HTTP_PROXY, uri: "https://h.test"}`, "", "https://h.test /"},
		{"/o/{id}", `{type: http_proxy, uri: "http://h.test/v1/{x}", requestParameters: {integration.request.path.x: method.request.path.id}}`, "", "http://h.test /v1/{id}"},
		{"/o/{id}", `{type: http_proxy, uri: "http://h.test/v1/{x}", requestParameters: {integration.request.path.x: "'fix'"}}`, "", "http://h.test /v1/fix"},
		{"/o/{id}", `{type: http_proxy, uri: "http://h.test/v1/{x}", requestParameters: {integration.request.path.x: method.request.querystring.x}}`, "", "! the path's parameter x comes from method.request.querystring.x"},
		{"/o/{proxy+}", `{type: http_proxy, uri: "http://h.test/v1/{proxy}"}`, "", "http://h.test /v1/{proxy}"},
		{"/o", `{type: http_proxy, uri: "http://${stageVariables.host}/v1"}`, "", "http://orders.test:8080 /v1"},
		{"/o", `{type: http_proxy, uri: "${stageVariables.scheme}://h.test/${stageVariables.link}"}`, "", "https://h.test /${stageVariables.link}"},
		{"/o", `{type: http_proxy, uri: "http://${stageVariables.none}/v1"}`, "", `! the stage has no variable "none"`},
		{"/o", `{type: http_proxy, uri: "http://${stageVariables.bad}/v1"}`, "", "! the stage variable bad holds what no address can"},
		{"/o", `{type: http_proxy, uri: "http://h.test/v1", httpMethod: POST}`, "", "http://h.test /v1 POST"},
		{"/o", `{type: http_proxy, uri: "http://h.test/v1", httpMethod: GET}`, "", "http://h.test /v1"},
		{"/o", `{type: http_proxy, uri: "http://h.test/v1", timeoutInMillis: 2500}`, "", "http://h.test /v1 2s500ms"},
		{"/o", `{type: http_proxy, uri: "http://h.test/v1?a=b"}`, "", "! the uri holds a query, ?a=b"},
		{"/o", `{type: http_proxy, uri: "http://h.test/v1"}`, `, integrations: {h.test: "service:o"}`, "service:o /v1"},
		{"/o", `{type: http_proxy, uri: "http://h.test:81/v1"}`, `, integrations: {"http://h.test:81": "service:o"}`, "service:o /v1"},
		{"/o", `{type: http_proxy, uri: "http://h.test/v1", connectionType: VPC_LINK, connectionId: abc123}`, "", `! the integration lies behind a VPC link: name the service that stands for it beside the definition's file, integrations: {"abc123": service:NAME}`},
		{"/o", `{type: http_proxy, uri: "http://h.test/v1", connectionType: VPC_LINK, connectionId: "${stageVariables.link}"}`, `, integrations: {abc123: "service:o"}`, "service:o /v1"},
		{"/o", `{type: http_proxy, uri: "arn:aws:elasticloadbalancing:r:1:listener/app/l/1/2", connectionType: VPC_LINK, connectionId: abc123}`, `, integrations: {abc123: "service:o"}`, "service:o"},
		{"/o", `{type: http_proxy, uri: "https://h.test/v1", tlsConfig: {insecureSkipVerification: true}}`, "", "! insecureSkipVerification leaves open who answers"},
		{"/o", `{type: http_proxy, uri: "https://h.test/v1", tlsConfig: {serverNameToVerify: x.test}}`, "", "! serverNameToVerify is said by a service here"},
		{"/o", `{type: http_proxy, uri: "https://h.test/v1", tlsConfig: {serverNameToVerify: x.test}}`, `, integrations: {h.test: "service:o"}`, "service:o /v1"},
		{"/o", `{type: http, uri: "http://h.test/v1", passthroughBehavior: never, responses: {default: {statusCode: 200}}}`, "", "! passthroughBehavior: never takes no request"},
		{"/o", `{type: http, uri: "http://h.test/v1", requestTemplates: {application/json: "#set($a = 1)"}, responses: {default: {statusCode: 200}}}`, "", "! the request's template for application/json is more than $input.body"},
		{"/o", `{type: http, uri: "http://h.test/v1", contentHandling: CONVERT_TO_TEXT, responses: {default: {statusCode: 200}}}`, "", "! contentHandling changes bodies"},
		{"/o", `{type: http, uri: "http://h.test/v1", requestParameters: {integration.request.querystring.a: method.request.header.a}, responses: {default: {statusCode: 200}}}`, "", "! integration.request.querystring.a is mapped from method.request.header.a"},
		{"/o", `{type: http, uri: "http://h.test/v1", requestParameters: {integration.request.header.a: method.request.body.a}, responses: {default: {statusCode: 200}}}`, "", "! integration.request.header.a is mapped from method.request.body.a"},
		{"/o", `{type: http, uri: "http://h.test/v1", responses: {default: {statusCode: 200, responseParameters: {method.response.header.a: integration.response.body.a}}}}`, "", "! method.response.header.a is mapped from integration.response.body.a"},
		{"/o", `{type: http, uri: "http://h.test/v1", responses: {default: {statusCode: 200, responseTemplates: {application/json: "{}"}}}}`, "", "! the response's template for application/json is more than $input.body"},
		{"/o", `{type: http, uri: "http://h.test/v1", requestTemplates: {application/json: "$input.json('$')"}, passthroughBehavior: never, requestParameters: {integration.request.querystring.q: method.request.querystring.query, integration.request.querystring.v: "'2'", integration.request.header.a: stageVariables.link, integration.request.header.X-In: method.request.header.X-Out},
			responses: {"4\\d{2}": {statusCode: "404"}, default: {statusCode: 200, responseTemplates: {application/json: null}, responseParameters: {method.response.header.Location: integration.response.header.Location, method.response.header.x: "'y'"}}}}`, "",
			"http://h.test /v1 a=${stageVariables.link} types [application/json] query [{q query } {v  2}] header [{X-In X-Out }] answers [{^(?:4\\d{2})$ 404 []} { 200 [{Location Location } {x  y}]}]"},
		{"/o", `{type: aws_proxy, uri: "arn:aws:apigateway:r:lambda:path/2015-03-31/functions/arn:aws:lambda:r:1:function:quote/invocations"}`, "", "function:quote"},
		{"/o", `{type: aws_proxy, payloadFormatVersion: "2.0", uri: "arn:aws:apigateway:r:lambda:path/2015-03-31/functions/arn:aws:lambda:r:1:function:${stageVariables.link}:live/invocations"}`, "", "function:abc123"},
		{"/o", `{type: aws, uri: "arn:aws:apigateway:r:lambda:path/2015-03-31/functions/arn:aws:lambda:r:1:function:quote/invocations"}`, "", "! integrations of the type aws make events by templates"},
		{"/o", `{type: aws_proxy, uri: "arn:aws:apigateway:r:lambda:path/2015-03-31/functions/arn:aws:lambda:r:1:function:quote:live/invocations"}`, `, integrations: {quote: "service:o"}`, "service:o"},
		{"/o", `{type: aws, uri: "arn:aws:apigateway:r:sqs:path/1/q"}`, "", "! integrations with AWS's own services come with a later version"},
		{"/o/{id}", `{type: http_proxy, uri: "http://h.test", requestParameters: {"overwrite:path": "/v2/$request.path.id/x"}}`, "", "http://h.test /v2/{id}/x"},
		{"/o/{id}", `{type: http_proxy, uri: "http://h.test", requestParameters: {"overwrite:path": "$request.path"}}`, "", "! overwrite:path says what no rewrite can"},
		{"/o/{id}", `{type: http_proxy, uri: "http://h.test", requestParameters: {"append:header.a": $request.path.id, "overwrite:header.b": $context.identity.sourceIp, "remove:header.c": "''", integration.request.header.d: "'${x}'", integration.request.header.e: stageVariables.link}}`, "", "http://h.test / +a=${path.id} b=${client.ip} d=$${x} e=${stageVariables.link} -c"},
		{"/o", `{type: http_proxy, uri: "http://h.test", requestParameters: {"overwrite:header.b": $request.body.x}}`, "", "! overwrite:header.b is mapped from $request.body.x"},
		{"/o", `{type: http_proxy, uri: "http://h.test", requestParameters: {integration.request.querystring.a: method.request.querystring.a, integration.request.header.b: method.request.header.b}}`, "", "http://h.test /"},
		{"/o", `{type: http_proxy, uri: "http://h.test", requestParameters: {integration.request.querystring.a: "'1'"}}`, "", "! requestParameters change the query"},
		{"/o", `{type: http_proxy, uri: "http://h.test", responseParameters: {"200": {"overwrite:header.a": "'b'"}}}`, "", "! responseParameters change answers with the status 200"},
		{"/o", `{type: mock}`, "", "mock 200"},
		{"/o", `{type: mock, requestTemplates: {application/json: '{"statusCode": 404}'}, responses: {default: {statusCode: "200"}, "4\\d{2}": {statusCode: 410, responseTemplates: {text/html: <p/>}, responseParameters: {method.response.header.x: "'y'"}}}}`, "", "mock 410 Content-Type=text/html x=y <p/>"},
		{"/o", `{type: mock, requestTemplates: {application/json: '#set($x = 1)'}}`, "", "! the request's template of a mock says more"},
		{"/o", `{type: mock, responses: {default: {statusCode: 200, responseTemplates: {application/json: '{"a": "$input.path(1)"}'}}}}`, "", "! the response's template of a mock is more than text"},
		{"/o", `{type: mock, responses: {default: {statusCode: 200, responseParameters: {method.response.header.x: integration.response.body}}}}`, "", "! a mock's headers are literals"},
	} {
		d := definition(t, head+"paths: {"+quote(tc.path)+": {get: {x-amazon-apigateway-integration: "+tc.integration+"}}}\n", tc.beside)
		got := describe(d, variables)
		if !strings.HasPrefix(tc.want, "!") && got != tc.want || !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s %s\ngot  %s\nwant %s", tc.integration, tc.beside, got, tc.want)
		}
	}
}

func quote(s string) string { return `"` + s + `"` }

func describe(d *Definition[keys], variables map[string]string) string {
	i := d.Operations[0].Integration
	if i.Mock != nil && i.Unread == "" {
		out := []string{"mock", itoa(i.Mock.Status)}
		for _, name := range []string{"Content-Type", "x"} {
			if v := i.Mock.Header[name]; v != "" {
				out = append(out, name+"="+v)
			}
		}
		return strings.TrimSpace(strings.Join(append(out, i.Mock.Body), " "))
	}
	to, why := i.Place(&d.Options, variables)
	if why != "" {
		return "! " + why
	}
	out := []string{to.Value}
	if k := i.Keys; k != nil {
		if k.Rewrite.Text != "" {
			out = append(out, k.Rewrite.Text)
		}
		if k.Timeout > 0 {
			out = append(out, k.Timeout.String())
		}
		request := k.Headers["request"]
		for _, name := range []string{"a", "b", "d", "e"} {
			if v, ok := request.Add[name]; ok {
				out = append(out, "+"+name+"="+v.Text)
			}
			if v, ok := request.Set[name]; ok {
				out = append(out, name+"="+v.Text)
			}
		}
		for _, name := range request.Remove {
			out = append(out, "-"+name)
		}
	}
	if i.Method != "" {
		out = append(out, i.Method)
	}
	if m := i.Mapping; m != nil {
		out = append(out, fmt.Sprintf("types %v query %v header %v answers %v", m.Types, m.Query, m.Header, m.Answers))
	}
	return strings.Join(out, " ")
}

func itoa(n int) string {
	return string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
}

func TestSecurity(t *testing.T) {
	schemes := `
components:
  securitySchemes:
    jwt: {type: oauth2, flows: {}, x-amazon-apigateway-authorizer: {type: jwt, identitySource: $request.header.X-Token, jwtConfiguration: {issuer: https://login.test/, audience: [a, b]}}}
    bearer: {type: http, scheme: bearer}
    key: {type: apiKey, name: x-api-key, in: header}
    asked: {type: apiKey, name: x-api-key, in: query}
    own: {type: apiKey, name: x-api-key, in: header, x-amazon-apigateway-authtype: custom, x-amazon-apigateway-authorizer: {type: token, authorizerUri: arn}}
    sigv4: {type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: awsSigv4}
    lambda: {type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: custom, x-amazon-apigateway-authorizer: {type: request, authorizerUri: arn}}
    pool: {type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: cognito_user_pools, x-amazon-apigateway-authorizer: {type: cognito_user_pools, providerARNs: ["arn:aws:cognito-idp:eu-west-1:1:userpool/eu-west-1_Ab"]}}
`
	for _, tc := range []struct{ operation, beside, want string }{
		{`{}`, "", "nothing"},
		{`{security: []}`, "", "nothing"},
		{`{security: [{jwt: []}]}`, "", "jwt"},
		{`{security: [{jwt: [a, b]}]}`, "", "jwt one of a b"},
		{`{security: [{bearer: [a]}]}`, `, security: {bearer: customers}`, "customers all of a"},
		{`{security: [{bearer: []}]}`, `, security: {bearer: none}`, "none"},
		{`{security: [{bearer: []}, {key: []}]}`, `, security: {bearer: none, key: none}`, "none"},
		{`{security: [{bearer: []}]}`, "", "! the security scheme bearer is no authorizer. Write"},
		{`{security: [{key: []}]}`, "", "with a key"},
		{`{security: [{key: []}, {jwt: [a]}]}`, "", "jwt one of a with a key"},
		{`{security: [{jwt: []}, {key: []}]}`, "", "jwt with a key"},
		{`{security: [{jwt: [], key: []}]}`, "", "jwt with a key"},
		{`{security: [{key: []}, {bearer: []}]}`, `, security: {bearer: none}`, "none with a key"},
		{`{security: [{key: []}]}`, `, security: {key: customers}`, "customers"},
		{`{security: [{key: []}, {}]}`, "", "! security holds {}"},
		{`{security: [{asked: []}]}`, "", "! the security scheme asked is no authorizer: API keys of usage plans come in the header x-api-key, not in query. Write"},
		{`{security: [{own: []}]}`, "", "! the security scheme own is no authorizer: it is a function: write under authorizers own: {function: NAME"},
		{`{security: [{sigv4: []}]}`, "", "sigv4"},
		{`{security: [{key: []}, {sigv4: []}]}`, "", "sigv4 with a key"},
		{`{security: [{key: []}], x-amazon-apigateway-auth: {type: AWS_IAM}}`, "", "AWS_IAM with a key"},
		{`{x-amazon-apigateway-auth: {type: AWS_IAM}}`, "", "AWS_IAM"},
		{`{x-amazon-apigateway-auth: {type: NONE}}`, "", "nothing"},
		{`{security: [{lambda: []}]}`, "", "! the security scheme lambda is no authorizer: it is a function: write under authorizers lambda: {function: NAME"},
		{`{security: [{pool: []}]}`, "", `! the security scheme pool is no authorizer: the definition does not say for which clients of the user pool tokens must be: write under authorizers pool: {jwt: {issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab", audience: CLIENT-ID, jwks: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab/.well-known/jwks.json"}}`},
		{`{security: [{jwt: [], key: []}]}`, `, security: {key: none}`, "jwt"},
		{`{security: [{jwt: [], bearer: []}]}`, `, security: {bearer: customers}`, "! two credentials are asked for at once"},
		{`{security: [{jwt: []}, {bearer: []}]}`, `, security: {bearer: customers}`, "jwt customers"},
		{`{security: [{jwt: [a]}, {bearer: [a]}]}`, `, security: {bearer: customers}`, "! other scopes are asked for"},
		{`{security: [{jwt: []}, {}]}`, "", "! security holds {}"},
		{`{security: [{jwt: []}, {bearer: []}]}`, `, security: {bearer: none}`, "! a credential is asked for and can be left out"},
	} {
		d := definition(t, head+"paths: {/a: {get: "+tc.operation+"}}"+schemes, tc.beside)
		got := callersText(d)
		if got != tc.want && !(strings.HasPrefix(tc.want, "!") && strings.HasPrefix(got, tc.want)) {
			t.Errorf("%s %s\ngot  %s\nwant %s", tc.operation, tc.beside, got, tc.want)
		}
		if a := d.Authorizers; len(a) < 2 || !a[1].Signed || a[1].Name != "sigv4" || a[0].Issuer != "https://login.test/" || a[0].From != "header.X-Token" || len(a[0].Audience) != 2 || a[0].Keys() != "https://login.test/.well-known/jwks.json" {
			t.Errorf("%+v", a)
		}
	}
}

func callersText(d *Definition[keys]) string {
	c := d.Operations[0].Callers
	if c == nil {
		return "nothing"
	}
	rules := &Rules{Security: d.Security, Schemes: d.Schemes, Authorizers: []string{"jwt", "customers", "sigv4", "AWS_IAM"}}
	a, problem := c.Authorize(rules)
	switch {
	case problem != "":
		return "! " + problem
	case a.None && !c.APIKey(rules):
		return "none"
	}
	var out []string
	if a.None {
		out = append(out, "none")
	}
	for _, name := range a.Any {
		out = append(out, name.Value)
	}
	if len(a.Scopes) > 0 {
		out = append(out, "one of", strings.Join(a.Scopes, " "))
	}
	if len(a.AllScopes) > 0 {
		out = append(out, "all of", strings.Join(a.AllScopes, " "))
	}
	if c.APIKey(rules) {
		out = append(out, "with a key")
	}
	return strings.Join(out, " ")
}

func TestRoot(t *testing.T) {
	d := definition(t, head+`
x-amazon-apigateway-cors: {allowOrigins: ["https://a.test"], allowMethods: [GET], allowHeaders: [], exposeHeaders: [etag], maxAge: 60, allowCredentials: true}
x-amazon-apigateway-minimum-compression-size: 5000000
x-amazon-apigateway-request-validators: {all: {validateRequestBody: true, validateRequestParameters: true}, params: {validateRequestParameters: true, validateRequestBody: false}}
x-amazon-apigateway-request-validator: all
x-amazon-apigateway-importexport-version: "1.0"
x-amazon-apigateway-api-key-source: HEADER
x-amazon-apigateway-binary-media-types: [image/*]
x-amazon-apigateway-security-policy: TLS_1_2
x-amazon-apigateway-endpoint-configuration: {types: [REGIONAL], disableExecuteApiEndpoint: true}
x-amazon-apigateway-documentation: {version: "1"}
x-amazon-apigateway-gateway-responses:
  DEFAULT_4XX: {statusCode: 418, responseParameters: {gatewayresponse.header.x: "'y'"}, responseTemplates: {application/json: '{"message": $context.error.messageString}'}}
paths:
  /a: {get: {x-amazon-apigateway-request-validator: params, x-amazon-apigateway-integration: {type: mock}}, options: {x-amazon-apigateway-integration: {type: mock}}}
`, "")
	want := map[string]any{"origins": []any{"https://a.test"}, "methods": []any{"GET"}, "expose": []any{"etag"}, "max-age": "60s", "credentials": true}
	if diff := cmp.Diff(want, d.Keys.CORS); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"min-size": int64(1 << 20)}, d.Keys.Compress); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"body": true, "parameters": true}, d.Keys.Validate); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"body": false, "parameters": true}, d.Operations[0].Keys.Validate); diff != "" {
		t.Error(diff)
	}
	responses := map[string]any{"DEFAULT_4XX": map[string]any{"status": int64(418), "headers": map[string]any{"x": "y"}, "bodies": map[string]any{"application/json": `{"message": $context.error.messageString}`}}}
	if diff := cmp.Diff(responses, d.Keys.Responses); diff != "" {
		t.Error(diff)
	}
	if len(d.Warnings) == 0 || d.Operations[0].Callers != nil || !d.Operations[1].Callers.Everybody {
		t.Errorf("%v %v", d.Warnings, d.Operations)
	}
}

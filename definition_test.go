package gatehouse

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// defined loads a configuration beside the definition d.yaml.
func defined(t *testing.T, text, definition string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "d.yaml"), []byte("openapi: 3.0.3\ninfo: {title: t, version: '1'}\n"+definition), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := LoadText(filepath.Join(dir, "c.yaml"), []byte("listen: [{address: \"127.0.0.1:0\"}]\n"+text))
	if err != nil {
		t.Log(err)
	}
	return cfg, err
}

const jwtScheme = `
components:
  securitySchemes:
    customers: {type: oauth2, flows: {}, x-amazon-apigateway-authorizer: {type: jwt, identitySource: $request.header.Authorization, jwtConfiguration: {issuer: "https://login.example", audience: [shop]}}}
`

func TestDefinedAuthorizer(t *testing.T) {
	const paths = "paths: {/a: {get: {security: [{customers: [a]}], x-amazon-apigateway-integration: {type: mock}}}}" + jwtScheme
	cfg, err := defined(t, "apis: {shop: {definition: d.yaml}}", paths)
	if err != nil {
		t.Fatal(err)
	}
	a := cfg.APIs["shop"].Authorizers["customers"]
	if a == nil || a.JWT.JWKS.URL != "https://login.example/.well-known/jwks.json" || a.JWT.Expiry != "required" || a.JWT.Leeway.D() == 0 || len(a.JWT.From) != 1 {
		t.Fatalf("%+v", a)
	}
	if got := cfg.Routes()[0].Authorize; got != "customers with a" {
		t.Errorf("got %q", got)
	}
	if w := strings.Join(cfg.Warnings(), "\n"); !strings.Contains(w, "d.yaml:6:5: the keys of the authorizer customers are looked for at https://login.example/.well-known/jwks.json") {
		t.Errorf("got %s", w)
	}
	own := "apis: {shop: {definition: d.yaml, authorizers: {customers: {jwt: {issuer: i, audience: a, jwks: development}}}}}"
	if cfg, err = defined(t, own, paths); err != nil || cfg.APIs["shop"].Authorizers["customers"].JWT.Issuer != "i" {
		t.Errorf("%v: the API's own does not come first", err)
	}
}

func TestDefinedAuthorizerIsUnfit(t *testing.T) {
	paths := strings.ReplaceAll("paths: {/a: {get: {security: [{customers: []}], x-amazon-apigateway-integration: {type: mock}}}}"+jwtScheme, "https://login.example", "http://login.example")
	if _, err := defined(t, "apis: {shop: {definition: d.yaml}}", paths); err == nil || !strings.Contains(err.Error(), "the issuer of customers is no https URL") {
		t.Errorf("got %v", err)
	}
}

// Nothing is published by being defined.
func TestDefinitionPublishesNothing(t *testing.T) {
	for _, tc := range []struct{ text, definition, want string }{
		{"apis: {shop: {definition: d.yaml}}", "paths: {/a: {get: {x-amazon-apigateway-integration: {type: mock}}}, /b: {get: {x-amazon-apigateway-integration: {type: mock}}}}", "d.yaml:3:14: GET /a: nobody says who may call this: beside the definition write authorize: NAME with an authorizer, or authorize: none to publish what it says no security for (and so of one more operation)"},
		{"apis: {shop: {definition: d.yaml}}", "paths: {/a: {get: {security: [], x-amazon-apigateway-integration: {type: mock}}}}", "nobody says who may call this"},
		{"apis: {shop: {definition: d.yaml, authorize: none}}", "paths: {/a: {get: {security: [{key: []}], x-amazon-apigateway-integration: {type: mock}}}}\ncomponents: {securitySchemes: {key: {type: apiKey, name: x-api-key, in: header}}}", "an API key is wanted and no usage plan holds for shop/$default"},
		{"usage-plans: {a: {throttle: 1/s, apis: [shop]}}\napis: {shop: {definition: d.yaml}}", "paths: {/a: {get: {security: [{key: []}], x-amazon-apigateway-integration: {type: mock}}}}\ncomponents: {securitySchemes: {key: {type: apiKey, name: x-api-key, in: header}}}", "nobody says who may call this, and an API key is no authorization"},
		{"usage-plans: {a: {throttle: 1/s, apis: [shop]}}\napis: {shop: {authorize: none, definition: d.yaml}}", "x-amazon-apigateway-api-key-source: AUTHORIZER\npaths: {/a: {get: {security: [{key: []}], x-amazon-apigateway-integration: {type: mock}}}}\ncomponents: {securitySchemes: {key: {type: apiKey, name: x-api-key, in: header}}}", "the definition takes API keys from authorizers alone"},
		{"apis: {shop: {definition: {file: d.yaml, security: {key: nobody}}}}", "paths: {/a: {get: {security: [{key: []}], x-amazon-apigateway-integration: {type: mock}}}}\ncomponents: {securitySchemes: {key: {type: apiKey, name: x-api-key, in: header}}}", `unknown authorizer "nobody"`},
		{"apis: {shop: {authorize: none, definition: {file: d.yaml, target: \"service:x\"}}}", "paths: {/a: {get: {}}}", `unknown service "x"`},
		{"apis: {shop: {authorize: none, definition: d.yaml, routes: [{match: GET /x, target: mock, validate: true}]}}", "paths: {}", "no definition says what requests of this route are like"},
		{"apis: {shop: {authorize: none, validate: true, definition: d.yaml}}", "paths: {/a: {get: {parameters: [{name: a, in: query, schema: {pattern: '(?=a)'}}], x-amazon-apigateway-integration: {type: mock}}}}", "d.yaml:3:72: the pattern"},
	} {
		if _, err := defined(t, tc.text, tc.definition); err == nil || !strings.Contains(strings.Join(strings.Fields(err.Error()), " "), tc.want) {
			t.Errorf("%s\n%s\ngot %v\nwant %s", tc.text, tc.definition, err, tc.want)
		}
	}
}

// A definition that takes preflights by mocks lets them in without a credential,
// and nothing else.
func TestDefinedPreflights(t *testing.T) {
	cfg, err := defined(t, "apis: {shop: {authorize: c, authorizers: {c: {jwt: {issuer: i, audience: a, jwks: development}}}, definition: d.yaml}}",
		"paths: {/a: {get: {x-amazon-apigateway-integration: {type: mock}}, options: {x-amazon-apigateway-integration: {type: mock}}}}")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range cfg.Routes() {
		if want := map[string]string{"GET /a": "c", "OPTIONS /a": "none"}[r.Route]; r.Authorize != want {
			t.Errorf("%s: %s, want %s", r.Route, r.Authorize, want)
		}
	}
}

// Who names a role for credentials needs its trust.
func TestDefinedCredentials(t *testing.T) {
	const roles = `
account: "123456789012"
iam:
  roles:
    sender: {trust: [api:shop]}
    other: {trust: [api:other]}
    early: {trust: {Version: 2012-10-17, Statement: {Effect: Allow, Principal: {Service: apigateway.amazonaws.com}, Action: "sts:AssumeRole"}}}
    narrow: {trust: {Version: 2012-10-17, Statement: {Effect: Allow, Principal: {Service: apigateway.amazonaws.com}, Action: "sts:AssumeRole", Condition: {ArnLike: {"aws:SourceArn": "arn:aws:execute-api:*:*:shop/*/GET/a"}}}}}
    written: {trust: {Version: 2012-10-17, Statement: {Effect: Allow, Principal: {Service: apigateway.amazonaws.com}, Action: "sts:AssumeRole", Condition: {StringEquals: {"aws:SourceAccount": "123456789012"}}}}}
    user: {trust: [user:ci]}
  users: {ci: {}}
apis:
  other: {domains: [other.test], authorize: none, routes: [{match: GET /x, target: mock}]}
  shop: {authorize: %s, authorizers: {signed: {iam: {}}, token: {jwt: {issuer: i, audience: a, jwks: development}}}, definition: {file: d.yaml, integrations: {"arn:aws:lambda:x": "http://127.0.0.1:1"}}, stages: {prod: {variables: {role: sender}}}}
`
	const ours = "arn:aws:iam::123456789012:role/"
	for _, tc := range []struct{ role, authorize, want string }{
		{ours + "sender", "none", ""},
		{ours + "some/path/sender", "none", ""},
		{ours + "${stageVariables.role}", "none", ""},
		{ours + "early", "none", ""},
		{ours + "narrow", "none", ""},
		{ours + "written", "none", ""},
		{"arn:aws:iam::999999999999:role/sender", "none", ""},
		{callerRole, "signed", ""},
		{callerRole, "none", "credentials are the caller's own, and the route lets everybody in"},
		{callerRole, "{any: [signed, token]}", "not every caller signs"},
		{ours + "other", "none", `GET /a: the role other does not trust the API, whose definition names it for its credentials: write trust: [api:shop] in iam.roles.other`},
		{ours + "user", "none", "the role user does not trust the API"},
		{ours + "nobody", "none", "the integration names the role nobody, which there is not"},
		{ours + "${stageVariables.gone}", "none", `the stage has no variable "gone"`},
		{"sender", "none", `the credentials "sender" are neither a role`},
		{"arn:aws:iam::123456789012:user/ci", "none", "are neither a role"},
		{"arn:aws:iam::123456789012:role/*", "none", "are neither a role"},
	} {
		for _, kind := range []string{"type: http_proxy, httpMethod: GET, uri: 'http://127.0.0.1:1/a'", "type: mock", "type: aws_proxy, uri: 'arn:aws:lambda:x'"} {
			cfg, err := defined(t, fmt.Sprintf(roles, tc.authorize), "paths: {/a: {get: {x-amazon-apigateway-integration: {"+kind+", credentials: '"+tc.role+"'}}}}")
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("%s, %s: %v", tc.role, kind, err)
			case tc.want != "" && (err == nil || !strings.Contains(strings.Join(strings.Fields(err.Error()), " "), tc.want)):
				t.Errorf("%s, %s: %v\nwant %s", tc.role, kind, err, tc.want)
			case err == nil && strings.Contains(strings.Join(cfg.Warnings(), "\n"), "is of another account") != strings.Contains(tc.role, "9999"):
				t.Errorf("%s: %s", tc.role, cfg.Warnings())
			}
		}
	}
}

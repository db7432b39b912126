package api

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/config"
)

const shop = `openapi: 3.0.3
info: {title: shop, version: "1"}
x-gatehouse-note: root
paths:
  /orders:
    x-gatehouse-note: path
    get: {x-gatehouse-note: operation}
    post: {x-amazon-apigateway-integration: {type: http_proxy, uri: "http://${stageVariables.host}/v1/orders", httpMethod: PUT}}
  /orders/{id}:
    get: {x-amazon-apigateway-integration: {type: aws_proxy, uri: "arn:aws:lambda:r:1:function:one"}}
    delete: {x-amazon-apigateway-integration: {type: aws_proxy, uri: "arn:aws:lambda:r:1:function:two"}}
    patch: {x-gatehouse-target: "service:patches", x-amazon-apigateway-integration: {type: aws_proxy, uri: "arn:aws:lambda:r:1:function:two"}}
  /ping:
    get: {x-amazon-apigateway-integration: {type: mock}}
`

// routesOf resolves the routes of the API shop, by stage.
func routesOf(t *testing.T, text string) (map[string][]string, []string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "shop.yaml"), []byte(shop), 0o600); err != nil {
		t.Fatal(err)
	}
	var r root
	if _, err := config.LoadBytes(filepath.Join(dir, "c.yaml"), []byte("apis: {shop: {"+text+"}}"), &r, config.Options{}); err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]string)
	var report config.Report
	for _, dep := range Resolve(r.APIs["shop"]) {
		for _, route := range dep.Routes(&report) {
			out[dep.Stage] = append(out[dep.Stage], routeText(&route))
		}
	}
	var problems []string
	for _, p := range report.Problems() {
		problems = append(problems, strings.TrimPrefix(p.Pos.String(), dir+"/")+": "+p.Path+": "+p.Message)
	}
	return out, problems
}

func routeText(r *Resolved[none]) string {
	text := r.Match.Route
	for _, d := range r.Target().Destinations {
		text += " " + string(d.Kind) + ":" + d.Name
	}
	if to := r.Rewrite().Text; to != "" {
		text += " " + to
	}
	if r.Method != "" {
		text += " " + r.Method
	}
	for _, l := range r.Levels {
		if l.Policies != nil && l.Policies.Note != "" {
			text += " " + l.Policies.Note
		}
	}
	return text
}

func TestRoutes(t *testing.T) {
	got, problems := routesOf(t, `
definition: {file: shop.yaml, target: "service:all", integrations: {one: "service:one", two: "service:two"}},
routes: [
  {match: "GET /orders", note: inline},
  {match: "GET /orders/{order}", target: "service:own", rewrite: "/own"},
  {match: {route: "GET /orders", headers: {x-version: "2"}}, target: "service:second"},
  {match: "PUT /orders", target: mock}
],
stages: {a: {variables: {host: "a.test:81"}}, b: {variables: {host: b.test}}}`)
	want := []string{
		"GET /orders service:all inline operation path",
		"POST /orders inline:http://a.test:81 /v1/orders PUT path",
		"GET /orders/{id} service:own /own",
		"DELETE /orders/{id} service:two",
		"PATCH /orders/{id} service:patches",
		"GET /ping mock:",
		"GET /orders service:second",
		"PUT /orders mock:",
	}
	if diff := cmp.Diff(want, got["a"]); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(got["b"][1], "POST /orders inline:http://b.test /v1/orders") {
		t.Error(got["b"][1])
	}
	if problems != nil {
		t.Error(problems)
	}
}

func TestRoutesOfAStage(t *testing.T) {
	got, problems := routesOf(t, `
routes: [{match: "GET /own", target: mock}],
stages: {new: {definition: {file: shop.yaml, target: "service:all", integrations: {one: "service:one", two: "service:two"}}, variables: {host: h}}, old: {}}`)
	if len(got["new"]) != 7 || len(got["old"]) != 1 || problems != nil {
		t.Errorf("%v %v", got, problems)
	}
}

func TestRouteProblems(t *testing.T) {
	_, problems := routesOf(t, `definition: shop.yaml, routes: [{match: "GET /x"}]`)
	want := []string{
		`c.yaml:1:47: : the key "target" is missing`,
		`shop.yaml:7:5: GET /orders: nothing says what answers the operation: write target: service:NAME beside the definition's file, or x-gatehouse-target in it`,
		`shop.yaml:8:45: POST /orders: the stage has no variable "host": write it under stages.NAME.variables`,
	}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Error(diff)
	}
}

func TestShape(t *testing.T) {
	for _, same := range [][2]string{
		{"GET /a/{id}", "GET /a/{order}"}, {"GET /a/", "GET /a"}, {"ANY /{proxy+}", "ANY /{rest+}"},
	} {
		if shape(same[0]) != shape(same[1]) {
			t.Errorf("%v: %s %s", same, shape(same[0]), shape(same[1]))
		}
	}
	for _, other := range [][2]string{
		{"GET /a/{id}", "GET /a/id"}, {"GET /a", "POST /a"}, {"ANY /{proxy+}", "ANY /{proxy*}"}, {"ANY /{proxy}", "ANY /{proxy+}"},
	} {
		if shape(other[0]) == shape(other[1]) {
			t.Errorf("%v are one", other)
		}
	}
}

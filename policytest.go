package gatehouse

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"gatehouse/authorize/cedar"
	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/route"
)

// PolicyCases are requests and what Cedar policies are to say about them: a file
// beside the policies.
type PolicyCases struct {
	config.At
	API   string        `yaml:"api,required" doc:"the API whose policies are tested"`
	Stage string        `yaml:"stage" doc:"its stage; default: the first"`
	Cases []*PolicyCase `yaml:"cases,required" doc:"requests and what is expected"`
}

// PolicyCase is one request.
type PolicyCase struct {
	config.At
	Name      string           `yaml:"name" doc:"what the case shows"`
	Principal PolicyPrincipal  `yaml:"principal" doc:"who calls"`
	Request   string           `yaml:"request,required" doc:"METHOD PATH, below the stage's path"`
	Source    string           `yaml:"source" default:"127.0.0.1" doc:"the client's address"`
	Host      string           `yaml:"host" doc:"the host; default: the API's first domain"`
	Time      string           `yaml:"time" doc:"when, in RFC 3339; default: now"`
	Plain     bool             `yaml:"plain" doc:"the request comes without TLS"`
	Body      map[string]*text `yaml:"body" doc:"members of the JSON body"`
	Expect    string           `yaml:"expect,required" enum:"permit|forbid" doc:"what the policies are to say"`
	By        string           `yaml:"by" doc:"the policy that is to decide: its @id, or #NUMBER in its file"`
}

// PolicyPrincipal is who calls.
type PolicyPrincipal struct {
	config.At
	Kind    string           `yaml:"kind" default:"jwt" doc:"how the caller is known"`
	Issuer  string           `yaml:"issuer" default:"https://login.test" doc:"who vouches for it"`
	Subject string           `yaml:"subject" default:"somebody" doc:"who it is"`
	Scopes  []string         `yaml:"scopes" single:"true" doc:"what its credential is good for"`
	Claims  map[string]*text `yaml:"claims" doc:"what is said of it"`
}

// text is a value of a claim or member: one, or a list.
type text struct {
	Name string `yaml:"-" key:"true"`
	one  string
	list []string
	many bool
}

// UnmarshalConfig reads a scalar or a list of scalars.
func (t *text) UnmarshalConfig(n *config.Node) {
	if n.Kind() == config.List {
		t.many = true
		n.Decode(&t.list)
		return
	}
	t.one, _ = n.Text()
}

// ConfigSchema implements config.Schemer.
func (text) ConfigSchema() *config.Schema { return &config.Schema{} }

// value is the text as a type's values come from JSON.
func (t *text) value(as cedar.Type) any {
	switch {
	case t.many:
		all := make([]any, len(t.list))
		for i, one := range t.list {
			all[i] = one
		}
		return all
	case as == "long":
		return json.Number(t.one)
	case as == "bool" && (t.one == "true" || t.one == "false"):
		return t.one == "true"
	}
	return t.one
}

// PolicyResult is how one case ended.
type PolicyResult struct {
	Name   string `json:"name"`
	At     string `json:"at"`
	Passed bool   `json:"passed"`
	Got    string `json:"got"`              // permit or forbid
	By     string `json:"by"`               // the policy that decided
	Detail string `json:"detail,omitempty"` // why it failed
}

// TestPolicies decides about the cases of a file by the configuration's Cedar
// policies, without a gateway that runs.
func (cfg *Config) TestPolicies(file string) ([]PolicyResult, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	cases := &PolicyCases{}
	if _, err := config.LoadBytes(file, data, cases, config.Options{}); err != nil {
		return nil, err
	}
	a := cfg.APIs[cases.API]
	if a == nil || a.Cedar == nil {
		return nil, fmt.Errorf("%s: there is no API %s with Cedar policies", cases.Of("api"), cases.API)
	}
	d := compile(cfg, &config.Report{})
	var out []PolicyResult
	for _, c := range cases.Cases {
		r, err := d.tryPolicy(a, cases, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Pos, err)
		}
		out = append(out, r)
	}
	return out, nil
}

func (d *draft) tryPolicy(a *API, cases *PolicyCases, c *PolicyCase) (PolicyResult, error) {
	result := PolicyResult{Name: c.Name, At: c.Pos.String()}
	if result.Name == "" {
		result.Name = c.Request
	}
	x, e, err := d.exchangeOf(a, cases, c)
	if err != nil {
		return result, err
	}
	if e.cedar == nil {
		return result, errors.New("the route is published (authorize: none): no policy is asked")
	}
	body := make(map[string]any)
	for name, t := range c.Body {
		body[name] = t.value(a.Cedar.Body[name])
	}
	decision := e.cedar.DecideBody(x, !c.Plain, body)
	result.Got, result.By = "forbid", decision.Rule.Name
	if decision.Allowed {
		result.Got = "permit"
	}
	_, by, _ := strings.Cut(result.By, " ")
	switch {
	case result.Got != c.Expect:
		result.Detail = "expected " + c.Expect
	case c.By != "" && c.By != by && c.By != result.By:
		result.Detail = "expected it by " + c.By
	default:
		result.Passed = true
	}
	return result, nil
}

// exchangeOf is the case's request as the policies would see it, and its route.
func (d *draft) exchangeOf(a *API, cases *PolicyCases, c *PolicyCase) (*exchange.Exchange, *endpoint, error) {
	method, target, ok := strings.Cut(c.Request, " ")
	source, err := netip.ParseAddr(c.Source)
	if !ok || err != nil {
		return nil, nil, errors.New("a request is METHOD PATH, and its source an address")
	}
	x := &exchange.Exchange{Method: method, Client: source, Start: time.Now(), Host: c.Host}
	if c.Time != "" {
		if x.Start, err = time.Parse(time.RFC3339, c.Time); err != nil {
			return nil, nil, err
		}
	}
	stage := d.stageOf(cases)
	if stage == nil {
		return nil, nil, fmt.Errorf("the API %s has no stage %s", cases.API, cases.Stage)
	}
	if x.Host == "" && len(stage.hosts) > 0 {
		x.Host = stage.hosts[0]
	}
	if err := x.Path.Parse(string(stage.prefix) + target); err != nil {
		return nil, nil, err
	}
	found := d.table.Lookup(route.Request{Host: x.Host, Method: method, Path: &x.Path, Header: http.Header{}}, nil)
	if found.Outcome != route.Found || found.Value.api != cases.API {
		return nil, nil, fmt.Errorf("no route of %s takes %s", cases.API, c.Request)
	}
	x.Params = found.Params
	found.Value.describe(x)
	x.Principal = exchange.NewPrincipal(c.Principal.Kind, c.Principal.Issuer, c.Principal.Subject)
	x.Principal.Scopes, x.Principal.Claims = c.Principal.Scopes, make(map[string]any)
	for name, t := range c.Principal.Claims {
		x.Principal.Claims[name] = t.value(a.Cedar.Claims[name])
	}
	return x, found.Value, nil
}

// stageOf is the default endpoint of the stage that cases are about.
func (d *draft) stageOf(cases *PolicyCases) *endpoint {
	for _, e := range d.endpoints {
		if e.api == cases.API && e.name == "" && (cases.Stage == "" || e.stage == cases.Stage) {
			return e
		}
	}
	return nil
}

package api

import (
	"regexp"
	"strings"

	"gatehouse/api/openapi"
	"gatehouse/config"
	"gatehouse/exchange"
)

// Config is one entry of apis. P is the type of the policies, whose keys stand
// beside those of this struct.
type Config[P any] struct {
	config.At
	Name       string              `yaml:"-" key:"true"`
	Domains    []Domain            `yaml:"domains" doc:"hosts that the API answers for; without any, every host that no other API names. *.shop.test stands for all names below shop.test"`
	Definition *Definition[P]      `yaml:"definition" doc:"an OpenAPI 3 or Swagger 2 file that says the API's routes: FILE, or {file: FILE, ...}"`
	Routes     []Route[P]          `yaml:"routes" doc:"the API's routes; beside a definition they add to its operations, or say more of them"`
	Stages     map[string]Stage[P] `yaml:"stages" doc:"deployments of the API; without any there is one, $default, at /"`
	Policies   P                   `yaml:",inline"`
}

// Stage is one entry of stages.
type Stage[P any] struct {
	config.At
	Name       string            `yaml:"-" key:"true"`
	Path       Prefix            `yaml:"path" doc:"path that the stage's routes stand below, stripped before a route is looked up; default: /"`
	Domains    []Domain          `yaml:"domains" doc:"the stage's own hosts, in place of the API's"`
	Definition *Definition[P]    `yaml:"definition" doc:"the stage's own definition, in place of the API's"`
	Variables  map[string]string `yaml:"variables" doc:"stage variables, for targets, templates and functions"`
	Routes     []Route[P]        `yaml:"routes" doc:"the stage's own routes, in place of the API's"`
	Policies   P                 `yaml:",inline"`
}

// Definition is an OpenAPI definition, whose operations say the keys of routes.
type Definition[P any] = openapi.Definition[Keys[P]]

// Route is one item of routes.
type Route[P any] struct {
	config.At
	Match   Match `yaml:"match,required" doc:"METHOD PATH, or {route: METHOD PATH, headers: {...}, query: {...}}"`
	Keys[P] `yaml:",inline"`
}

// Keys are what a route says beside its match, and an operation of a definition
// by x-gatehouse-KEY.
type Keys[P any] struct {
	config.At
	Target   Target          `yaml:"target" doc:"service:NAME, http://HOST:PORT, mock, redirect:URL, or weights: {service:a: 90, service:b: 10}; ${stageVariables.NAME} stands for a variable of the stage; left out where an operation of the definition says it"`
	Rewrite  config.Template `yaml:"rewrite" doc:"path sent to the target, with {parameters} of the match and ${stageVariables.NAME}; default: the path as it came, without the stage's"`
	Policies P               `yaml:",inline"`
}

// Domain is a host name, or *.NAME for every name below it.
type Domain string

var domainPattern = regexp.MustCompile(`^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)

// UnmarshalText lower-cases and checks the name.
func (d *Domain) UnmarshalText(text []byte) error {
	s := strings.TrimSuffix(strings.ToLower(string(text)), ".")
	if len(s) > 253 || !domainPattern.MatchString(s) {
		return textError("is no host name: write api.example.com or *.example.com, without scheme, port or path")
	}
	*d = Domain(s)
	return nil
}

// ConfigSchema implements config.Schemer.
func (Domain) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Examples: []any{"api.shop.test", "*.shop.test"}}
}

// Prefix is a path of whole literal segments: "/", "/beta", "/v1/beta".
type Prefix string

// UnmarshalText checks the path as requests are read and takes a final slash off.
func (p *Prefix) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "/" {
		*p = ""
		return nil
	}
	var path exchange.Path
	s = strings.TrimSuffix(s, "/")
	if strings.ContainsAny(s, "{}%?") || path.Parse(s) != nil || len(path.Segments) == 0 || path.Slash || path.Oddities != 0 {
		return textError("is no stage path: write / or whole literal segments, such as /beta")
	}
	*p = Prefix(s)
	return nil
}

// ConfigSchema implements config.Schemer.
func (Prefix) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Pattern: "^/", Examples: []any{"/", "/beta"}}
}

// Segments returns the prefix's segments.
func (p Prefix) Segments() []string {
	if p == "" {
		return nil
	}
	return strings.Split(string(p[1:]), "/")
}

type textError string

func (e textError) Error() string { return string(e) }

package config_test

import (
	"fmt"
	"net/netip"
	"strings"

	"gatehouse/config"
)

// The structs of these tests: a small gateway with every kind of field.

type gateway struct {
	config.At
	Account  string              `yaml:"account" default:"000000000000" doc:"account number"`
	Data     config.Path         `yaml:"data" default:"./data" doc:"folder of what survives"`
	Include  []config.Include    `yaml:"include" doc:"further files"`
	APIs     map[string]*shop    `yaml:"apis" doc:"what is exposed"`
	Services map[string]service  `yaml:"services" doc:"what stands behind it"`
	Limits   limits              `yaml:"limits" doc:"limits of the whole"`
	Log      *logging            `yaml:"log" doc:"where to log"`
	Rules    rule                `yaml:"rule" doc:"a rule that may hold rules"`
	Ports    map[port]string     `yaml:"ports" doc:"names of ports"`
	Statuses map[int]config.Name `yaml:"statuses" doc:"names of statuses"`
}

type limits struct {
	Body    config.Size     `yaml:"body" default:"10MiB" range:"1..1GiB" doc:"the largest body"`
	Headers uint16          `yaml:"headers" default:"100" range:"1..1000" doc:"how many headers"`
	Wait    config.Duration `yaml:"wait" default:"30s" range:"1s..1h" doc:"how long to wait"`
	Ratio   float64         `yaml:"ratio" default:"0.5" range:"0..1" doc:"how much"`
	Small   int8            `yaml:"small" doc:"a small number"`
	Least   int             `yaml:"least" default:"5" range:"5.."`
	Most    int64           `yaml:"most" range:"..5"`
}

type logging struct {
	config.At
	File   config.Path `yaml:"file,required" doc:"the file"`
	Format string      `yaml:"format" default:"json" enum:"json|text" doc:"the form of a line"`
	Strict *bool       `yaml:"strict" default:"true"`
}

type shop struct {
	config.At
	Name    string            `yaml:"-" key:"true"`
	Domains []string          `yaml:"domains" single:"true" doc:"hosts"`
	Routes  []route           `yaml:"routes" doc:"routes"`
	Nets    []netip.Prefix    `yaml:"nets" doc:"address ranges"`
	Vars    map[string]string `yaml:"variables" doc:"stage variables"`
	Key     config.File       `yaml:"key" doc:"a key file"`
	Secret  config.Secret     `yaml:"client-secret" doc:"a secret"`
	Public  bool              `yaml:"public" doc:"whether strangers may come"`
	Extra   any               `yaml:"extra" doc:"anything"`
	Shared  `yaml:",inline"`
}

// Shared are keys of every API.
type Shared struct {
	Throttle []rate  `yaml:"throttle" single:"true" doc:"limits; all apply"`
	Timeout  *limits `yaml:"timeout"`
}

type route struct {
	config.At
	Match  string      `yaml:"match,required" doc:"METHOD PATH"`
	Target config.Name `yaml:"target" doc:"where to"`
	Per    []string    `yaml:"per" enum:"ip|route|principal" single:"true" default:"ip, route" doc:"what counts"`
}

// Check refuses a route to itself.
func (r *route) Check(report *config.Report) {
	if r.Target.Value == "itself" {
		report.Errorf(r.Of("target"), "a route cannot lead to itself")
	}
}

type service struct {
	config.At
	Targets []string `yaml:"targets,required" doc:"addresses"`
	Backup  string   `yaml:"backup"`
}

// rate has a short form, "10/s", and a long one.
type rate struct {
	config.At
	Count int    `yaml:"count,required" range:"1..1000"`
	Unit  string `yaml:"unit" default:"s" enum:"s|m"`
}

func (r *rate) UnmarshalConfig(n *config.Node) {
	type long rate
	text, ok := n.Text()
	if !ok {
		n.Decode((*long)(r))
		return
	}
	if _, err := fmt.Sscanf(strings.ReplaceAll(text, "/", " "), "%d %s", &r.Count, &r.Unit); err != nil || r.Unit != "s" && r.Unit != "m" {
		n.Errorf("%q is no rate: write 10/s", text)
	}
}

func (rate) ConfigSchema() *config.Schema {
	type long rate
	return &config.Schema{AnyOf: []*config.Schema{{Type: "string", Pattern: "^[0-9]+/[sm]$"}, config.SchemaOf(long{})}}
}

// rule holds itself.
type rule struct {
	Not *rule          `yaml:"not"`
	All []rule         `yaml:"all"`
	IP  netip.Addr     `yaml:"ip"`
	Any map[string]any `yaml:"any"`
}

// port is a map key of its own form.
type port string

func (p *port) UnmarshalText(text []byte) error {
	if strings.Trim(string(text), "0123456789*") != "" {
		return fmt.Errorf("is no port: write a number or *")
	}
	*p = port(text)
	return nil
}

// env returns a LookupEnv.
func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

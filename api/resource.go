package api

import (
	"maps"
	"slices"

	"gatehouse/config"
)

// DefaultStage is the name of the stage of an API that defines none.
const DefaultStage = "$default"

// Deployment is one stage of one API, resolved.
type Deployment[P any] struct {
	API        *Config[P]
	Stage      string
	Domains    []string // none: every host that no other deployment names
	Prefix     Prefix
	Variables  map[string]string
	Definition *Definition[P] // the stage's own, else the API's; nil for none
	Inline     []Route[P]     // the routes that are written for it
	Own        *P             // the stage's own policies; nil for the default stage
	At         config.At      // of the stage; for the default one of the API
}

// Placed reports whether it is known for which hosts and paths the deployment
// answers: the configuration may be one that could be read in part.
func (d *Deployment[P]) Placed() bool {
	return !d.At.Broken("domains") && !d.At.Broken("path") && (d.At.Has("domains") || !d.API.Broken("domains"))
}

// Resolve returns the deployments of an API, by stage name in order.
func Resolve[P any](c *Config[P]) []Deployment[P] {
	if len(c.Stages) == 0 {
		return []Deployment[P]{{API: c, Stage: DefaultStage, Domains: hosts(c.Domains), Definition: c.Definition, Inline: c.Routes, At: c.At}}
	}
	var out []Deployment[P]
	for _, name := range slices.Sorted(maps.Keys(c.Stages)) {
		s := c.Stages[name]
		domains := s.Domains
		if len(domains) == 0 {
			domains = c.Domains
		}
		routes := c.Routes
		if s.Has("routes") {
			routes = s.Routes
		}
		definition := s.Definition
		if definition == nil {
			definition = c.Definition
		}
		out = append(out, Deployment[P]{
			API: c, Stage: name, Domains: hosts(domains), Prefix: s.Path, Variables: s.Variables, Definition: definition, Inline: routes,
			Own: &s.Policies, At: s.At,
		})
	}
	return out
}

func hosts(domains []Domain) []string {
	out := make([]string, len(domains))
	for i, d := range domains {
		out[i] = string(d)
	}
	return out
}

package gatehouse

import (
	"gatehouse/authorize/cedar"
	"gatehouse/config"
	"gatehouse/route"
)

// compileCedar compiles the Cedar policies of each API that has some, and gives them
// to its routes, but for those that are published: whoever publishes a route asks
// nobody.
func (d *draft) compileCedar(report *config.Report) {
	for _, name := range names(d.config.APIs) {
		c := d.config.APIs[name].Cedar
		if c == nil {
			continue
		}
		var own []*endpoint
		for _, e := range d.endpoints {
			if e.api == name && e.name != "" {
				own = append(own, e)
			}
		}
		policies := cedar.Compile(c, name, actionsOf(own), report)
		for _, e := range own {
			if a := e.policies.Authorize; a != nil && !a.None {
				e.cedar = policies
			}
		}
	}
}

// actionsOf are the routes as policies know them, each once for all stages.
func actionsOf(endpoints []*endpoint) (out []cedar.Action) {
	seen := make(map[string]bool)
	for _, e := range endpoints {
		if seen[e.name] {
			continue
		}
		seen[e.name] = true
		out = append(out, cedar.Action{Name: e.name, Params: e.params, Reads: only(e.methods, true), Writes: only(e.methods, false)})
	}
	return out
}

// only reports whether all methods read, or none of them does.
func only(m route.Methods, reads bool) bool {
	if m == route.Any {
		return false
	}
	for _, name := range m.Names() {
		switch name {
		case "GET", "HEAD", "OPTIONS":
			if !reads {
				return false
			}
		default:
			if reads {
				return false
			}
		}
	}
	return true
}

// cedarConfig is what counts for the Cedar policies of a route.
func (e *endpoint) cedarConfig(cfg *Config) *cedar.Config {
	if e.cedar == nil {
		return nil
	}
	return cfg.APIs[e.api].Cedar
}

package gatehouse

import (
	"cmp"
	"fmt"
	"slices"

	"gatehouse/api"
	"gatehouse/config"
)

// warning is what works but should be looked at.
type warning struct {
	at      config.Pos
	message string
}

func (cfg *Config) warn(at config.Pos, message string) {
	cfg.warnings = append(cfg.warnings, warning{at, message})
}

// Warnings returns what works but should be looked at, in the order of the
// file, each with its place. The configuration must be one without errors.
func (cfg *Config) Warnings() []string {
	d := compile(cfg, &config.Report{})
	all := slices.Concat(cfg.warnings, cfg.developmentKeys(), d.unused(), cfg.unfilledKeys(), cfg.definitionWarnings(), d.aclWarnings(), d.foreign)
	slices.SortStableFunc(all, func(a, b warning) int {
		return cmp.Or(cmp.Compare(a.at.File, b.at.File), cmp.Compare(a.at.Line, b.at.Line), cmp.Compare(a.at.Column, b.at.Column))
	})
	out := make([]string, len(all))
	for i, w := range all {
		out[i] = fmt.Sprintf("%s: %s", w.at, w.message)
	}
	return out
}

// developmentKeys warns of what trusts the development key.
func (cfg *Config) developmentKeys() (out []warning) {
	for _, name := range names(cfg.APIs) {
		a := cfg.APIs[name]
		for _, authorizer := range names(a.Authorizers) {
			if c := a.Authorizers[authorizer]; c.UsesDevelopmentKey() {
				out = append(out, warning{c.Pos, fmt.Sprintf("the authorizer %s of %s trusts the development key: whoever can read %s can make tokens", authorizer, name, cfg.Data.Value)})
			}
		}
	}
	return out
}

// definitionWarnings are those that reading definitions gave.
func (cfg *Config) definitionWarnings() (out []warning) {
	for _, name := range names(cfg.APIs) {
		for _, d := range cfg.APIs[name].definitions() {
			for _, w := range d.Warnings {
				out = append(out, warning{w.At, w.Message})
			}
		}
	}
	return out
}

// unused warns of what is defined and leads nowhere.
func (d *draft) unused() (out []warning) {
	cfg := d.config
	services, authorizers := d.used()
	for _, name := range names(cfg.Services) {
		if !services[name] && cfg.Services[name].Metrics == nil {
			out = append(out, warning{cfg.Services[name].Pos, fmt.Sprintf("no route leads to the service %s", name)})
		}
	}
	for _, name := range names(cfg.APIs) {
		a := cfg.APIs[name]
		out = append(out, a.routeless()...)
		for _, authorizer := range names(a.Authorizers) {
			if !authorizers[[2]string{name, authorizer}] {
				out = append(out, warning{a.Authorizers[authorizer].Pos, fmt.Sprintf("no route of %s asks the authorizer %s", name, authorizer)})
			}
		}
	}
	return out
}

// routeless warns of stages without routes, and of routes that no stage has.
func (a *API) routeless() (out []warning) {
	inherited := false
	for _, d := range api.Resolve(&a.Config) {
		inherited = inherited || !d.At.Has("routes") || d.Own == nil
		if len(d.Inline) > 0 || d.Definition != nil {
			continue
		}
		what := "the API " + a.Name
		if d.Own != nil && d.At.Has("routes") {
			what = fmt.Sprintf("the stage %s of %s", d.Stage, a.Name)
		}
		out = append(out, warning{d.At.Pos, what + " has no routes: it answers 404 to everything"})
	}
	if !inherited && len(a.Routes) > 0 {
		out = append(out, warning{a.Of("routes"), fmt.Sprintf("every stage of %s has routes of its own: these serve nobody", a.Name)})
	}
	return out
}

// used returns the services, and by API the authorizers, that routes name.
func (d *draft) used() (services map[string]bool, authorizers map[[2]string]bool) {
	services, authorizers = make(map[string]bool), make(map[[2]string]bool)
	for _, e := range d.endpoints {
		for _, to := range slices.Concat(e.target.Destinations, e.canaryTarget().Destinations, e.shadow.Destinations) {
			if to.Kind == api.Service {
				services[to.Name] = true
			}
		}
		if asked := e.policies.Authorize; asked != nil && e.name != "" {
			for _, name := range asked.Any {
				authorizers[[2]string{e.api, name.Value}] = true
			}
		}
	}
	return services, authorizers
}

package gatehouse

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"gatehouse/api"
	"gatehouse/config"
)

// RouteInfo describes one route of one stage, for people and for plans.
type RouteInfo struct {
	API        string            `json:"api"`
	Stage      string            `json:"stage"`
	Hosts      []string          `json:"hosts"` // empty: any that no other API names
	Prefix     string            `json:"prefix,omitempty"`
	Route      string            `json:"route"`                // METHOD PATH
	Conditions string            `json:"conditions,omitempty"` // that narrow it: "x-version=2 ?beta=*"
	Target     string            `json:"target"`
	Authorize  string            `json:"authorize"`
	Chain      []string          `json:"chain,omitempty"` // the filters in order; known of a running gateway
	At         string            `json:"at"`
	Digests    map[string]string `json:"-"` // of each section that counts for the route
}

// Routes returns the routes of a loaded configuration, by API, stage and the
// order of the file. They have no chains.
func (cfg *Config) Routes() []RouteInfo {
	return compile(cfg, &config.Report{}).routes()
}

func (d *draft) routes() []RouteInfo { return routesOf(d.config, d.endpoints) }

func routesOf(cfg *Config, endpoints []*endpoint) []RouteInfo {
	out := make([]RouteInfo, 0, len(endpoints))
	for _, e := range endpoints {
		if e.name != "" {
			out = append(out, e.info(cfg))
		}
	}
	return out
}

func (e *endpoint) info(cfg *Config) RouteInfo {
	return RouteInfo{
		API: e.api, Stage: e.stage, Hosts: e.hosts, Prefix: string(e.prefix), Route: e.name, Conditions: e.conditions,
		Target: e.targetText(), Authorize: e.authorizeText(), Chain: e.steps, At: e.at.String(),
		Digests: e.digests(cfg),
	}
}

// targetText says where the route leads, its canary and its mirror included.
func (e *endpoint) targetText() string {
	text := targetText(e.target)
	percent := func(n float64) string { return " " + strconv.FormatFloat(n, 'f', -1, 64) + "%" }
	if c := e.canary; c != nil {
		text += "; canary " + targetText(c.target)
		if c.policy.Weight != nil {
			text += percent(*c.policy.Weight)
		}
	}
	if len(e.shadow.Destinations) > 0 {
		text += "; mirror " + targetText(e.shadow) + percent(e.policies.Mirror.Percent)
	}
	return text
}

func (e *endpoint) canaryTarget() api.Target {
	if e.canary == nil {
		return api.Target{}
	}
	return e.canary.target
}

func targetText(t api.Target) string {
	var parts []string
	for _, d := range t.Destinations {
		parts = append(parts, destinationText(d, len(t.Destinations) > 1))
	}
	return strings.Join(parts, " | ")
}

func destinationText(d api.Destination, shared bool) string {
	text := string(d.Kind) + ":" + d.Name
	switch d.Kind {
	case api.Inline:
		text = d.Name
	case api.Mock:
		text += strconv.Itoa(d.Status)
	}
	if shared {
		text += " " + strconv.Itoa(d.Weight)
	}
	return text
}

func (e *endpoint) authorizeText() string {
	a := e.policies.Authorize
	if a == nil || a.None {
		return "none"
	}
	var out []string
	for _, name := range a.Any {
		out = append(out, name.Value)
	}
	text := strings.Join(out, " or ")
	if scopes := slices.Concat(a.AllScopes, a.Scopes); len(scopes) > 0 {
		text += " with " + strings.Join(scopes, " ")
	}
	return text
}

// digests hashes each section that counts for the route. They stay in the
// process: secrets are among what is hashed, and a weak one could be guessed.
func (e *endpoint) digests(cfg *Config) map[string]string {
	p := e.policies
	sections := map[string]any{
		"authorize": []any{p.Authorize, e.authorizerConfigs(cfg)}, "cedar": e.cedarConfig(cfg), "policy": e.policyConfigs(cfg), "identity": p.Identity,
		"addresses": p.Addresses.Digest(), "gateway-responses": p.Responses,
		"mirror":  []any{p.Mirror, e.serviceConfigs(cfg, e.shadow)},
		"canary":  []any{e.canary, e.serviceConfigs(cfg, e.canaryTarget())},
		"api-key": []any{p.APIKey, e.offers}, "concurrent": e.atOnce,
		"throttle": e.throttle, "validate": []any{p.Validate, e.operation.Digest()}, "method": e.method, "mapping": e.mapping, "cors": p.CORS, "waf": e.aclConfig(cfg), "compress": p.Compress, "headers": p.Headers, "websocket": p.WebSocket, "timeout": e.timeout, "retries": e.retries(),
		"limits": p.Limits, "allow-path": p.AllowPath, "hosts": e.hosts, "prefix": e.prefix, "variables": e.variables,
		"target": []any{e.target, e.serviceConfigs(cfg, e.target)}, "rewrite": e.rewrite,
	}
	out := make(map[string]string, len(sections))
	for name, section := range sections {
		sum := config.Digest(section)
		out[name] = hex.EncodeToString(sum[:8])
	}
	return out
}

func (e *endpoint) authorizerConfigs(cfg *Config) (out []any) {
	if e.policies.Authorize == nil {
		return nil
	}
	for _, name := range e.policies.Authorize.Any {
		out = append(out, cfg.APIs[e.api].Authorizers[name.Value])
	}
	return out
}

func (e *endpoint) serviceConfigs(cfg *Config, t api.Target) (out []any) {
	for _, d := range t.Destinations {
		switch d.Kind {
		case api.Service:
			out = append(out, cfg.Services[d.Name])
		case api.Function:
			out = append(out, cfg.Functions[d.Name], e.policies.Payload)
		}
	}
	return out
}

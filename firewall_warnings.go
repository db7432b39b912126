package gatehouse

import (
	"fmt"
	"slices"

	"gatehouse/api"
	"gatehouse/config"
)

// aclWarnings warns of web ACLs that nobody names, and of what those in force
// cannot see. Each ACL is told of once.
func (d *draft) aclWarnings() (out []warning) {
	cfg := d.config
	if len(cfg.WAF) == 0 && len(cfg.Groups) == 0 {
		return nil
	}
	used := make(map[string]bool)
	told := make(map[string]bool)
	tell := func(what string, e *endpoint, at config.Pos, message string) {
		if key := what + e.acl.Name(); !told[key] {
			told[key] = true
			out = append(out, warning{at, fmt.Sprintf("%s: "+message, e.name, e.acl.Name())})
		}
	}
	for _, e := range d.endpoints {
		if e.acl == nil {
			continue
		}
		used[e.acl.Name()] = true
		if e.name == "" || !e.acl.ReadsBody() {
			continue
		}
		if ws := e.policies.WebSocket; ws != nil && !ws.Off {
			tell("websocket", e, ws.Pos, "the web ACL %s sees the request that opens a WebSocket, and nothing of what passes in it")
		}
		switch {
		case !cfg.speaksHTTP2(e.target) && !cfg.speaksHTTP2(e.canaryTarget()):
		case cfg.WAF[e.acl.Name()].PassesStreams():
			tell("grpc", e, e.at, "the web ACL %s sees the heads of gRPC calls, and none of their messages")
		default:
			tell("grpc", e, e.at, "the web ACL %s inspects bodies, and those of gRPC calls cannot be awaited: it blocks the calls. Write inspect-body: {streams: continue} to let them pass unseen")
		}
	}
	for _, name := range names(cfg.WAF) {
		if !used[name] {
			out = append(out, warning{cfg.WAF[name].Pos, fmt.Sprintf("no API, stage or route names the web ACL %s", name)})
		}
	}
	return append(out, cfg.unusedGroups()...)
}

// speaksHTTP2 reports whether a target is a service that gRPC is spoken to.
func (cfg *Config) speaksHTTP2(t api.Target) bool {
	return slices.ContainsFunc(t.Destinations, func(to api.Destination) bool {
		s := cfg.Services[to.Name]
		return to.Kind == api.Service && s != nil && (s.Protocol == "h2" || s.Protocol == "h2c")
	})
}

func (cfg *Config) unusedGroups() (out []warning) {
	used := make(map[string]bool)
	for _, c := range cfg.WAF {
		for _, name := range c.RuleGroups() {
			used[name] = true
		}
	}
	for _, name := range names(cfg.Groups) {
		if !used[name] {
			out = append(out, warning{cfg.Groups[name].Pos, fmt.Sprintf("no web ACL names the rule group %s", name)})
		}
	}
	return out
}

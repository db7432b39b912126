package gatehouse

import (
	"fmt"
	"slices"

	"gatehouse/api"
	"gatehouse/config"
)

// unseen warns of what web ACLs that inspect bodies cannot see: what follows once
// a WebSocket is open, and gRPC's messages.
func (d *draft) unseen() (out []warning) {
	cfg := d.config
	if len(cfg.WAF) == 0 {
		return nil
	}
	told := make(map[string]bool)
	tell := func(at config.Pos, text string) {
		if key := at.String() + text; !told[key] {
			told[key] = true
			out = append(out, warning{at, text})
		}
	}
	for _, e := range d.endpoints {
		if e.name == "" || e.acl == nil || !e.acl.ReadsBody() {
			continue
		}
		acl := cfg.WAF[e.acl.Name()]
		if ws := e.policies.WebSocket; ws != nil && !ws.Off {
			tell(e.at, fmt.Sprintf("the web ACL %s inspects the handshakes of WebSockets, and nothing of what follows", acl.Name))
		}
		for _, to := range slices.Concat(e.target.Destinations, e.canaryTarget().Destinations) {
			s := cfg.Services[to.Name]
			if to.Kind != api.Service || s == nil || s.Protocol != "h2" && s.Protocol != "h2c" {
				continue
			}
			if acl.Body.Streams == "continue" {
				tell(e.at, fmt.Sprintf("the web ACL %s sees the heads of gRPC calls to %s, and none of their messages", acl.Name, to.Name))
			} else {
				tell(e.at, fmt.Sprintf("the web ACL %s blocks gRPC calls to %s, whose messages it could not see: inspect-body: {streams: continue} lets them pass unseen", acl.Name, to.Name))
			}
		}
	}
	return out
}

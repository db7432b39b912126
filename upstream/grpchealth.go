package upstream

import (
	"gatehouse/config"
	"gatehouse/upstream/target"
)

// GRPCHealth is health.grpc: whether gRPC's own protocol for health is asked,
// and about which service.
type GRPCHealth struct {
	On      bool
	Service string // "" for the server as a whole
}

// UnmarshalConfig reads true, false, or a service's name.
func (g *GRPCHealth) UnmarshalConfig(n *config.Node) {
	text, ok := n.Text()
	switch {
	case !ok:
		n.Errorf("write true, or the name of a gRPC service, such as shop.Orders")
	case text == "true", text == "false":
		g.On = text == "true"
	case !validServiceName(text):
		n.Errorf("%q is no name of a gRPC service: letters, digits, _ and ., such as shop.Orders", text)
	default:
		g.On, g.Service = true, text
	}
}

// ConfigSchema implements config.Schemer.
func (GRPCHealth) ConfigSchema() *config.Schema {
	return &config.Schema{AnyOf: []*config.Schema{{Type: "boolean"}, {Type: "string", Pattern: "^[A-Za-z0-9_.]{1,127}$", Examples: []any{"shop.Orders"}}}}
}

func validServiceName(s string) bool {
	if s == "" || len(s) > 127 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func (g *GRPCHealth) target() target.GRPC {
	if g == nil {
		return target.GRPC{}
	}
	return target.GRPC{On: g.On, Service: g.Service}
}

// checkGRPCHealth reports a probe by gRPC of a service that does not speak it.
func (c Config) checkGRPCHealth(r *config.Report) {
	h := c.Health
	if h == nil || h.GRPC == nil || !h.GRPC.On {
		return
	}
	switch {
	case c.protocol() == target.HTTP1:
		r.Errorf(h.Of("grpc"), "gRPC is spoken over HTTP/2: write protocol: h2, or h2c")
	case h.Path != "":
		r.Errorf(h.Of("grpc"), "a probe fetches a path or asks by gRPC: remove one of path and grpc")
	}
}

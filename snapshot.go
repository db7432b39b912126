package gatehouse

import (
	"net/http"
	"strings"

	"gatehouse/edge"
	"gatehouse/exchange"
	"gatehouse/observe"
	"gatehouse/route"
)

// Snapshot is a Config compiled. It is immutable, and garbage once nobody
// serves by it: nothing of it must be closed.
type Snapshot struct {
	generation uint64
	config     *Config
	policies   edge.Policies
	observer   *observe.Observer
	table      *route.Table[*endpoint]
	endpoints  []*endpoint
	unknown    *endpoint         // for hosts that no API names
	owners     map[string]string // host -> API
}

// lookup finds what serves a request. A CORS preflight is led to the route that
// it asks for, whose chain answers it: another route at the same path that takes
// OPTIONS may be for other pages.
func (s *Snapshot) lookup(x *exchange.Exchange, r *http.Request) route.Result[*endpoint] {
	preflight, ok := route.PreflightOf(x, r)
	if !ok {
		return s.table.Lookup(route.Of(x, r), x.Params)
	}
	asked := s.table.Lookup(preflight, x.Params)
	if asked.Outcome == route.Found && asked.Value.policies.CORS != nil {
		return asked
	}
	found := s.table.Lookup(route.Of(x, r), x.Params)
	if asked.Outcome == route.Found && found.Outcome == route.Found && found.Value.policies.CORS != nil {
		return route.Result[*endpoint]{Outcome: route.NoMethod, Value: asked.Value.fallback, Allow: asked.Value.methods, Params: x.Params}
	}
	return found
}

// misdirected reports a request on a TLS connection that was made for another
// API than the one that its Host has led to, which may be one for any host (RFC
// 9110 section 15.5.20). A name that no API claims binds to nothing.
func (s *Snapshot) misdirected(x *exchange.Exchange) bool {
	if x.Conn.SNI == "" || x.Conn.SNI == x.Host || x.API == "" {
		return false
	}
	named := s.owner(x.Conn.SNI)
	return named != "" && named != x.API
}

// owner returns the API that names a host; "" for none.
func (s *Snapshot) owner(host string) string {
	if api := s.owners[host]; api != "" {
		return api
	}
	for rest := host; ; {
		_, after, more := strings.Cut(rest, ".")
		if !more {
			return ""
		}
		if api := s.owners["*."+after]; api != "" {
			return api
		}
		rest = after
	}
}

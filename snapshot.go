package gatehouse

import (
	"net/http"
	"strings"

	"gatehouse/edge"
	"gatehouse/exchange"
	"gatehouse/function"
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
	nowhere    nowhere
	owned      *owned            // nil where no room owns a path
	challenged *endpoint         // the paths of challenges; nil where nobody challenges
	aws        *endpoint         // AWS's own services
	owners     map[string]string // host -> API
	functions  map[string]*function.Function
}

// lookup finds what serves a request.
func (s *Snapshot) lookup(x *exchange.Exchange, r *http.Request) route.Result[*endpoint] {
	own := route.Of(x, r)
	found := s.table.Lookup(own, x.Params)
	asked, ok := route.PreflightOf(x, r)
	if !ok || found.Outcome == route.Found && found.Value.methods != route.Any {
		return found // no preflight, or one with a route that names OPTIONS
	}
	return s.preflight(own, asked, found.Outcome == route.Found && found.Value.policies.CORS != nil, x.Params)
}

// preflight leads a CORS preflight to the route that it asks for, whose CORS
// answers it. Where that one has none, no other route's may answer in its
// stead: the browser would send what this route's author did not open. It then
// is a request like others, for the target to answer.
func (s *Snapshot) preflight(own, asked route.Request, answered bool, params []exchange.Param) route.Result[*endpoint] {
	found := s.table.Lookup(asked, params)
	switch {
	case found.Outcome == route.Found && found.Value.policies.CORS != nil:
		return found
	case found.Outcome == route.Found && answered:
		asked := found.Value
		return route.Result[*endpoint]{Outcome: route.NoMethod, Value: asked.fallback, Allow: asked.methods, Params: params}
	}
	return s.table.Lookup(own, params)
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

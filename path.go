package gatehouse

import (
	"net/http"

	"gatehouse/addresses"
	"gatehouse/auth"
	"gatehouse/auth/identity"
	"gatehouse/authorize"
	"gatehouse/authorize/cedar"
	"gatehouse/bound"
	"gatehouse/canary"
	"gatehouse/compress"
	"gatehouse/cors"
	"gatehouse/mirror"
	"gatehouse/throttle"
	"gatehouse/transform"
	"gatehouse/usage"
	"gatehouse/validate"
	"gatehouse/waf"
)

// path is the order in which a request meets the filters. It is the only place
// where they meet. A filter that the route does not configure is not in its
// chain. Observation stands around all of it, in the entry.
func (e *endpoint) path(p parts, l *leases) {
	var b builder
	b.add("compress", compress.New(e.policies.Compress, l.encoders)) // inside it, bodies are plain
	b.add("cors", cors.New(e.policies.CORS, e.corsMethods))          // preflights and refusals too
	b.add("addresses", addresses.New(e.policies.Addresses))          // from where
	b.add("limits", bound.Head(e.policies.Limits))
	b.add("throttle", throttle.ByAddress(e.throttle, l.limits))         // strangers pay first
	b.add("waf", waf.New(e.acl, l.firewall(e.acl)))                     // malice ends before it costs anything
	b.add("auth", auth.New(p.authorizers, l.revoked))                   // who
	b.add("authorize", authorize.New(e.policies.Authorize))             // may they
	b.add("authorize", authorize.ByPolicy(e.rights))                    // by IAM policies
	b.add("cedar", cedar.New(e.cedar))                                  // by Cedar policies
	b.add("usage", usage.Require(e.policies.APIKey, e.offers, l.usage)) // with which API key
	b.add("throttle", throttle.AtOnce(e.atOnce, l.slots))
	b.add("throttle", throttle.ByCaller(e.throttle, l.limits))        // refused requests never charge these
	b.add("validate", validate.New(e.policies.Validate, e.operation)) // what the definition says of requests
	b.add("limits", bound.Concurrent(e.policies.Limits, e.scope(), l.bounds))
	b.add("usage", usage.Charge(e.policies.APIKey, e.offers, l.usage, l.limits)) // nor the quota of a key
	b.add("canary", canary.New(p.release))                                       // where to, for a caller who is known
	b.add("compress", compress.Plain(e.policies.Compress))                       // whoever verifies the request has seen it
	b.add("identity", identity.New(e.policies.Identity, l.identity))             // whom services are told of
	mapping := mappingOf(e.mapping)
	b.add("mapping", transform.Narrow(mapping))
	b.add("transform", transform.New(e.policies.Headers))
	b.add("mapping", transform.Answers(mapping))
	b.add("method", transform.Method(e.method))
	b.add("mirror", mirror.New(p.shadow, l.mirrors)) // what the target gets
	e.chain, e.steps = b.around(p.target), b.names
}

// parts are what was bound for an endpoint's chain.
type parts struct {
	authorizers []*auth.Authorizer
	release     *canary.Release // nil without a canary
	shadow      *mirror.Shadow  // nil where nothing is copied
	target      http.Handler
}

// builder gathers the filters of one chain.
type builder struct {
	names   []string
	filters []func(http.Handler) http.Handler
}

// add adds a filter; nil is none.
func (b *builder) add(name string, filter func(http.Handler) http.Handler) {
	if filter == nil {
		return
	}
	b.names = append(b.names, name)
	b.filters = append(b.filters, filter)
}

// around puts the filters around a target: the first added is the outermost.
func (b *builder) around(target http.Handler) http.Handler {
	for i := len(b.filters) - 1; i >= 0; i-- {
		target = b.filters[i](target)
	}
	return target
}

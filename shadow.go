package gatehouse

import (
	"net/http"

	"gatehouse/api"
	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/mirror"
	"gatehouse/observe/escape"
	"gatehouse/upstream"
)

// shadow compiles where the copies of an endpoint's requests go; no destination
// where there are none.
func (d *draft) shadow(e *endpoint, stage string, report *config.Report) api.Target {
	m := e.policies.Mirror
	if m == nil {
		return api.Target{}
	}
	target := m.Target.In(e.variables, stage, report)
	for _, to := range target.Destinations {
		if !to.Shares() {
			report.Errorf(to.At, "copies go to services and addresses, not to a %s", to.Kind)
		}
		d.checkDestination(to, report)
	}
	return target
}

// shadow returns what an endpoint's mirror needs; nil for an endpoint without.
func (b *binder) shadow(e *endpoint) (*mirror.Shadow, error) {
	if len(e.shadow.Destinations) == 0 {
		return nil, nil
	}
	var shares []upstream.Share
	for _, to := range e.shadow.Destinations {
		s, err := b.service(to)
		if err != nil {
			return nil, err
		}
		shares = append(shares, upstream.Share{Handler: upstream.New(upstream.Route{Service: s}), Weight: to.Weight})
	}
	h := shares[0].Handler
	if len(shares) > 1 {
		h = upstream.Split(shares)
	}
	return &mirror.Shadow{
		Config: &e.policies.Mirror.Config, Name: targetText(e.shadow), Handler: h, Path: e.sentPath(),
		Secret: b.draft.config.APIs[e.api].credentialHeaders(),
		Redact: func(b []byte, query string) []byte { return escape.Query(b, query, escape.Raw) },
	}, nil
}

// sentPath returns what appends the path that the endpoint's target is sent, by
// the release that serves the request.
func (e *endpoint) sentPath() func(*exchange.Exchange, []byte) []byte {
	stable := pathOr(e.rewriter(e.rewrite))
	if e.canary == nil {
		return stable
	}
	other := pathOr(e.rewriter(e.canary.rewrite))
	return func(x *exchange.Exchange, b []byte) []byte {
		if x.Variant == exchange.Canary {
			return other(x, b)
		}
		return stable(x, b)
	}
}

func pathOr(rewriter func(*exchange.Exchange, []byte) []byte) func(*exchange.Exchange, []byte) []byte {
	if rewriter != nil {
		return rewriter
	}
	return func(x *exchange.Exchange, b []byte) []byte { return x.Path.AppendCanonical(b) }
}

// credentialHeaders returns the headers that the API's authorizers read
// credentials from.
func (a *API) credentialHeaders() []string {
	var out []string
	for _, name := range names(a.Authorizers) {
		if c := a.Authorizers[name].JWT; c != nil {
			for _, from := range c.From {
				if from.Place == "header" {
					out = append(out, http.CanonicalHeaderKey(from.Name))
				}
			}
		}
	}
	return out
}

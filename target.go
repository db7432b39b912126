package gatehouse

import (
	"net/http"

	"gatehouse/answer"
	"gatehouse/api"
	"gatehouse/auth"
	"gatehouse/canary"
	"gatehouse/cors"
	"gatehouse/exchange"
	"gatehouse/function"
	"gatehouse/respond"
	"gatehouse/transform"
	"gatehouse/upstream"
	"gatehouse/websocket"
)

// binder makes the targets of a configuration's routes from leases.
type binder struct {
	draft     *draft
	leases    *leases
	known     map[string]map[string]*auth.Authorizer
	services  map[string]*upstream.Service // by name, or by address of inline targets
	functions map[string]*function.Function
	forms     map[*respond.Config]exchange.Responses
}

// target returns what answers an endpoint's route, and its canary.
func (b *binder) target(e *endpoint) (http.Handler, *canary.Release, error) {
	if e.name == "" {
		return notFound(e.rule, e.missing), nil, nil
	}
	target, err := b.answerer(e, e.target, e.rewrite)
	if err != nil {
		return nil, nil, err
	}
	release, err := b.release(e, target)
	if release == nil || err != nil {
		return target, nil, err
	}
	return release.Target(), release, nil
}

// answerer returns what answers in the name of a target.
func (b *binder) answerer(e *endpoint, target api.Target, rewrite *transform.Rewrite) (http.Handler, error) {
	var plain, sockets []upstream.Share
	tunnels := false // some destination takes them
	for _, to := range target.Destinations {
		h, socket, err := b.destination(e, to, rewrite)
		if err != nil {
			return nil, err
		}
		tunnels = tunnels || socket != nil
		if socket == nil {
			socket = h
		}
		plain = append(plain, upstream.Share{Handler: h, Weight: to.Weight})
		sockets = append(sockets, upstream.Share{Handler: socket, Weight: to.Weight})
	}
	if !tunnels {
		return shared(plain), nil
	}
	policy := websocket.New(e.policies.WebSocket, cors.Allows(e.policies.CORS), b.leases.tunnels)
	return policy.Around(shared(plain), shared(sockets)), nil
}

func shared(shares []upstream.Share) http.Handler {
	if len(shares) == 1 {
		return shares[0].Handler
	}
	return upstream.Split(shares)
}

// destination returns what answers in the name of one, and what leads tunnels
// to it; nil where it takes none.
func (b *binder) destination(e *endpoint, to api.Destination, rewrite *transform.Rewrite) (plain, sockets http.Handler, err error) {
	rule := &exchange.Rule{Filter: "answer", Name: string(to.Kind), At: to.At}
	switch to.Kind {
	case api.Mock:
		return answer.Mock(rule, mockOf(to)), nil, nil
	case api.Redirect:
		return answer.Redirect(rule, to.Name), nil, nil
	case api.Function:
		h, err := b.function(e, to)
		return h, nil, err
	}
	s, err := b.service(to)
	if err != nil {
		return nil, nil, err
	}
	route := upstream.Route{Service: s, Retries: e.retries(), Rewrite: e.rewriter(rewrite)}
	return upstream.New(route), upstream.NewSocket(route, b.leases.tunnels), nil
}

// mockOf returns what a mock answers.
func mockOf(to api.Destination) answer.Mocked {
	if m := to.Mock; m != nil {
		return answer.Mocked{Status: m.Status, Header: m.Header, Body: m.Body}
	}
	return answer.Empty(to.Status)
}

// service leases a service once, whatever the number of routes.
func (b *binder) service(to api.Destination) (*upstream.Service, error) {
	if s := b.services[to.Name]; s != nil {
		return s, nil
	}
	cfg, err := b.serviceConfig(to)
	if err != nil {
		return nil, err
	}
	s, err := b.leases.upstreams.Service(cfg)
	if err != nil {
		return nil, err
	}
	b.services[to.Name] = s
	return s, nil
}

func (b *binder) serviceConfig(to api.Destination) (upstream.Config, error) {
	if to.Kind == api.Inline {
		return upstream.Inline(to.Name, to.At)
	}
	return *b.draft.config.Services[to.Name], nil
}

func (e *endpoint) retries() int {
	if e.policies.Retries != nil {
		return *e.policies.Retries
	}
	return defaultRetries
}

// rewriter returns what writes the upstream's path: the route's rewrite, or
// the request's own path without the stage's.
func (e *endpoint) rewriter(rewrite *transform.Rewrite) func(*exchange.Exchange, []byte) []byte {
	if rewrite != nil {
		return func(x *exchange.Exchange, b []byte) []byte { return rewrite.Append(b, x) }
	}
	if skip := len(e.prefix.Segments()); skip > 0 {
		return func(x *exchange.Exchange, b []byte) []byte { return x.Path.AppendFrom(b, skip) }
	}
	return nil
}

// notFound ends the chain of what no route takes: 405 where the path has other
// methods, else 404.
func notFound(rule *exchange.Rule, reason string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchange.From(r)
		if x.Allow != "" {
			exchange.Refuse(w, r, exchange.Refusal{
				Status: http.StatusMethodNotAllowed, Rule: rule, Reason: "no-method", Detail: "the path takes " + x.Allow,
				Header: http.Header{"Allow": {x.Allow}},
			})
			return
		}
		exchange.Refuse(w, r, exchange.Refusal{Status: http.StatusNotFound, Rule: rule, Reason: reason})
	})
}

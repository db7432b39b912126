package gatehouse

import (
	"net/http"

	"gatehouse/answer"
	"gatehouse/api"
	"gatehouse/cors"
	"gatehouse/exchange"
	"gatehouse/upstream"
	"gatehouse/websocket"
)

// binder makes the targets of a configuration's routes from leases.
type binder struct {
	draft    *draft
	leases   *leases
	services map[string]*upstream.Service // by name, or by address of inline targets
}

// target returns what answers an endpoint's route.
func (b *binder) target(e *endpoint) (http.Handler, error) {
	if e.name == "" {
		return notFound(e.rule, e.missing), nil
	}
	var shares []upstream.Share
	for _, to := range e.target.Destinations {
		h, err := b.destination(e, to)
		if err != nil {
			return nil, err
		}
		shares = append(shares, upstream.Share{Handler: h, Weight: to.Weight})
	}
	if len(shares) == 1 {
		return shares[0].Handler, nil
	}
	return upstream.Split(shares), nil
}

func (b *binder) destination(e *endpoint, to api.Destination) (http.Handler, error) {
	rule := &exchange.Rule{Filter: "answer", Name: string(to.Kind), At: to.At}
	switch to.Kind {
	case api.Mock:
		return answer.Mock(rule, to.Status), nil
	case api.Redirect:
		return answer.Redirect(rule, to.Name), nil
	}
	s, err := b.service(to)
	if err != nil {
		return nil, err
	}
	route := upstream.Route{Service: s, Retries: e.retries(), Rewrite: e.rewriter()}
	sockets := websocket.New(e.policies.WebSocket, cors.Allows(e.policies.CORS), b.leases.tunnels)
	return sockets.Around(upstream.New(route), upstream.NewSocket(route, b.leases.tunnels)), nil
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
func (e *endpoint) rewriter() func(*exchange.Exchange, []byte) []byte {
	if rewrite := e.rewrite; rewrite != nil {
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

package gatehouse

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"slices"
	"time"

	"gatehouse/admin"
	"gatehouse/edge"
	"gatehouse/observe/cloudwatch"
	"gatehouse/upstream"
)

// control is the Gateway as the control socket and the admin listener see it.
type control struct{ *Gateway }

var _ admin.Gateway = control{}

// Status describes a running gateway.
type Status struct {
	Version    string           `json:"version"`
	PID        int              `json:"pid"`
	Started    time.Time        `json:"started"`
	TookOver   *Predecessor     `json:"tookOver,omitempty"`
	Generation uint64           `json:"generation"`
	Listeners  []ListenerStatus `json:"listeners"`
	Targets    []TargetStatus   `json:"targets"`
}

// ListenerStatus is one listener of a Status.
type ListenerStatus struct {
	Address     string `json:"address"`
	Bound       string `json:"bound"`
	Connections int64  `json:"connections"`
}

// TargetStatus is one target of a service.
type TargetStatus struct {
	Service  string `json:"service"`
	Target   string `json:"target"`
	Healthy  bool   `json:"healthy"`
	InFlight int64  `json:"inFlight"`
}

// pages are what is answered beside what control knows. Who may use the control
// socket is trusted with metrics of their own.
func (g *Gateway) pages(trusted bool) admin.Pages {
	o := g.keepers.observe
	return admin.Pages{Metrics: o.Metrics(), Prometheus: o.Prometheus(), Push: o.Pushed(trusted), CloudWatch: cloudwatch.Handler()}
}

var errDraining = errors.New("the gateway is draining: it ends once its requests have")

// Ready implements admin.Gateway.
func (c control) Ready() error {
	if c.draining.Load() {
		return errDraining
	}
	return nil
}

// Status implements admin.Gateway.
func (c control) Status() any { return c.Gateway.Status() }

// Status describes the gateway as it is now.
func (g *Gateway) Status() Status {
	s := Status{Version: g.options.Version, PID: os.Getpid(), Started: g.started, TookOver: g.predecessor, Generation: g.generation(), Listeners: []ListenerStatus{}, Targets: []TargetStatus{}}
	g.keepers.listeners.Each(func(key string, bound net.Addr, counters *edge.Counters) {
		s.Listeners = append(s.Listeners, ListenerStatus{Address: key, Bound: bound.String(), Connections: counters.Active.Load()})
	})
	g.keepers.upstreams.Each(func(t upstream.Stats) {
		s.Targets = append(s.Targets, TargetStatus{Service: t.Service, Target: t.Target, Healthy: t.Healthy, InFlight: t.InFlight})
	})
	return s
}

// Routes implements admin.Gateway.
func (c control) Routes() any { return c.table() }

func (g *Gateway) table() []RouteInfo {
	snap := g.current.Load()
	return routesOf(snap.config, snap.endpoints)
}

// Explain implements admin.Gateway.
func (c control) Explain(id string) (any, bool) { return c.keepers.observe.Recent().Find(id) }

// Recent implements admin.Gateway.
func (c control) Recent(n int) any { return c.keepers.observe.Recent().Last(n, nil) }

// Plan implements admin.Gateway.
func (c control) Plan(_ context.Context, file string) (any, error) {
	load := c.options.Load
	if file != "" {
		load = func() (*Config, error) { return Load(file) }
	}
	cfg, err := load()
	if err != nil {
		return nil, err
	}
	return Plan(c.table(), cfg.Routes()), nil
}

// Reload implements admin.Gateway.
func (c control) Reload(ctx context.Context) (any, error) {
	before := c.table()
	if err := c.Gateway.Reload(ctx); err != nil {
		return nil, err
	}
	return Plan(before, c.table()), nil
}

// ReopenLogs opens log files anew, after they were renamed.
func (g *Gateway) ReopenLogs() error { return g.keepers.observe.Reopen() }

// IdentityKeys implements admin.Gateway: no keys where nobody is told by a token.
func (c control) IdentityKeys() any {
	none := json.RawMessage(`{"keys":[]}`)
	if !slices.ContainsFunc(c.current.Load().endpoints, func(e *endpoint) bool { return e.identityToken() != nil }) {
		return none
	}
	keys, err := c.keepers.identity()
	if err != nil {
		return none
	}
	return json.RawMessage(keys.JWKS())
}

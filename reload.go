package gatehouse

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"gatehouse/auth"
	"gatehouse/config"
	"gatehouse/edge"
	"gatehouse/exchange"
	"gatehouse/respond"
	"gatehouse/takeover"
	"gatehouse/upstream"
)

// install makes cfg the configuration in force: compile, prepare, bind, swap,
// retire. Where any step fails, everything stays as it was.
func (g *Gateway) install(cfg *Config) error {
	var report config.Report
	d := compile(cfg, &report)
	if snap := g.current.Load(); snap != nil {
		cfg.adoptRules(snap.config)
	}
	d.users = d.users.With(g.keepers.access)
	policies := edge.Compile(cfg.Listen, g.compilation(cfg), &report)
	if err := config.NewErrors(&report, cfg.sources); err != nil {
		return err
	}
	if err := g.prepareState(cfg); err != nil {
		return err
	}
	l := g.keepers.begin()
	defer g.keepers.denyAdmin()
	defer l.abort() // does nothing once the leases are committed
	if err := g.keepers.guard(cfg, l); err != nil {
		return err
	}
	snap, err := d.bind(l, policies)
	if err != nil {
		return err
	}
	demand := cfg.demand(policies)
	if err := l.acme.Manage(demand); err != nil {
		return err
	}
	snap.owned = own(cfg, demand, g.keepers.acme.Handler, l)
	snap.challenged = challenged(cfg, g.keepers, l)
	if err := l.listeners.Bind(policies); err != nil {
		return err
	}
	settings, err := l.listenAdmin(cfg.Admin, g)
	if err != nil {
		return err
	}
	if err := g.claim(cfg); err != nil {
		return err
	}
	snap.generation = g.generation() + 1
	g.current.Store(snap)
	l.commit()
	g.keepers.admitAdmin(settings)
	g.adopt(cfg)
	return nil
}

// adopt makes hold what is in no chain and in no lease.
func (g *Gateway) adopt(cfg *Config) {
	g.keepers.bodies.SetLimit(int64(cfg.Limits.Buffers))
	g.keepers.usage.SetPlans(cfg.Plans)
	g.keepers.functions.SetProcesses(cfg.Limits.Processes)
	g.keepers.observe.Keep(cfg.Metrics, g.scrapes(cfg))
	if g.options.Level != nil {
		g.options.Level.Set(cfg.Log.SlogLevel())
	}
}

func (g *Gateway) generation() uint64 {
	if snap := g.current.Load(); snap != nil {
		return snap.generation
	}
	return g.base
}

func (g *Gateway) compilation(cfg *Config) edge.Compilation {
	// What there is to warn of was noted when cfg was loaded.
	c := edge.Compilation{Domains: cfg.domains(), Authority: g.keepers.authority, Managed: g.keepers.acme, Tickets: g.keepers.tickets, Now: time.Now(), Clients: cfg.clients(), Fingerprints: cfg.readsHandshakes(), HeaderOrder: cfg.readsOrder()}
	if cfg.ACME != nil {
		c.Challenge = g.keepers.acme.Challenge
	}
	if snap := g.current.Load(); snap != nil {
		c.Last = snap.policies
	}
	return c
}

// bind leases what the draft names and builds the chains from it.
func (d *draft) bind(l *leases, policies edge.Policies) (*Snapshot, error) {
	observer, err := l.observe.Observer(d.config.Log, d.config.Account)
	if err != nil {
		return nil, err
	}
	if err := l.openACLLogs(d.endpoints); err != nil {
		return nil, err
	}
	if d.signsIdentity() {
		if l.identity, err = l.identityKey(); err != nil {
			return nil, fmt.Errorf("the key of identity tokens: %w", err)
		}
	}
	b := &binder{draft: d, leases: l, services: make(map[string]*upstream.Service), forms: make(map[*respond.Config]exchange.Responses)}
	if err := b.leaseFunctions(); err != nil {
		return nil, err
	}
	l.keys.Functions(invoker(b.functions))
	authorizers, err := b.authorizers()
	if err != nil {
		return nil, err
	}
	b.known = authorizers
	byStage := make(map[*endpoint]*doors) // by the stage's default endpoint
	for _, e := range d.endpoints {
		if e.fallback == nil {
			byStage[e] = b.doors(e, l)
		}
	}
	for _, e := range d.endpoints {
		e.doors = byStage[cmp.Or(e.fallback, e)]
	}
	for _, e := range slices.Concat(d.endpoints, []*endpoint{d.nowhere.host, d.nowhere.path}) {
		target, release, err := b.target(e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.at, err)
		}
		e.responses = b.responses(e)
		e.counts = l.observe.Route(e.api, e.stage, e.name)
		if release != nil {
			e.canaryCounts = l.observe.Route(e.api, e.stage+"/canary", e.name) // as API Gateway's metrics name it
		}
		shadow, err := b.shadow(e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.at, err)
		}
		e.path(parts{e.pick(authorizers), release, shadow, target}, l)
	}
	if err := b.scraped(); err != nil {
		return nil, err
	}
	return &Snapshot{
		aws:    d.awsEndpoint(l),
		config: d.config, policies: policies, observer: observer, table: d.table,
		endpoints: d.endpoints, nowhere: d.nowhere, owners: d.owners, functions: b.functions,
	}, nil
}

// signsIdentity reports whether some route tells its service by a token who calls.
func (d *draft) signsIdentity() bool {
	return slices.ContainsFunc(d.endpoints, func(e *endpoint) bool {
		return e.policies.Identity != nil && e.policies.Identity.Token != nil
	})
}

// authorizers leases every authorizer of every API, by API and name.
func (b *binder) authorizers() (map[string]map[string]*auth.Authorizer, error) {
	out := make(map[string]map[string]*auth.Authorizer)
	for _, api := range names(b.draft.config.APIs) {
		out[api] = make(map[string]*auth.Authorizer)
		a := b.draft.config.APIs[api]
		for _, name := range names(a.Authorizers) {
			authorizer, err := b.leases.keys.Authorizer(api, a.Authorizers[name], b.draft.users)
			if err != nil {
				return nil, fmt.Errorf("%s: authorizer %s: %w", a.Authorizers[name].Pos, name, err)
			}
			out[api][name] = authorizer
		}
	}
	return out, nil
}

// pick returns the endpoint's authorizers, in the order that it names them.
func (e *endpoint) pick(all map[string]map[string]*auth.Authorizer) []*auth.Authorizer {
	if e.name == "" || e.policies.Authorize == nil || e.policies.Authorize.None {
		return nil
	}
	var out []*auth.Authorizer
	for _, name := range e.policies.Authorize.Any {
		out = append(out, all[e.api][name.Value])
	}
	return out
}

// Reload loads the configuration anew and makes it the one in force. Reloads
// are serialised; requests go on meanwhile, each by the configuration that it
// began with. On an error nothing has changed; once the drain has begun there is
// nothing else.
func (g *Gateway) Reload(ctx context.Context) error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	if g.draining.Load() {
		g.log.Warn("not reloaded", "error", errDraining)
		return errDraining
	}
	g.tell(takeover.Reloading()...)
	err := g.reload()
	g.tell(takeover.Ready, g.statusLine())
	g.keepers.observe.Reloaded(g.generation(), err)
	g.keepers.audit.note(ctx, "reload", map[string]string{"generation": fmt.Sprint(g.generation())}, err)
	if err != nil {
		g.log.Error("reload failed; the last configuration stays in force", "error", err)
		return err
	}
	g.log.Info("reloaded", "generation", g.generation())
	g.warn(g.current.Load().config)
	return nil
}

// reload contains what panics: a mistake in compiling must not take with it what
// serves.
func (g *Gateway) reload() (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			g.log.Error("a reload panicked", slog.Any("panic", cause), slog.String("stack", string(debug.Stack())))
			err = fmt.Errorf("a mistake of the gateway's own: %v", cause)
		}
	}()
	cfg, err := g.options.Load()
	if cfg != nil {
		defer g.watched.Store(cfg.sources)
	}
	if err != nil {
		return err
	}
	running := g.current.Load().config
	if cfg.Data.Value != running.Data.Value {
		return fmt.Errorf("%s: data moves from %s to %s only by a restart", cfg.Data.At, running.Data.Value, cfg.Data.Value)
	}
	if cfg.Limits.Principals != running.Limits.Principals {
		return fmt.Errorf("%s: limits.principals goes from %d to %d only by a restart", cfg.Of("limits"), running.Limits.Principals, cfg.Limits.Principals)
	}
	if config.Digest(cfg.Isolation) != config.Digest(running.Isolation) {
		return fmt.Errorf("%s: the isolation of functions changes only by a restart", cfg.Of("isolation"))
	}
	if !sameState(cfg, running) {
		return fmt.Errorf("%s: the state moves only by a restart", cfg.Of("state"))
	}
	return g.install(cfg)
}

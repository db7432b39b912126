package gatehouse

import (
	"context"
	"errors"
	"time"

	"gatehouse/admin"
	"gatehouse/auth/revoked"
	"gatehouse/secrets"
	"gatehouse/state"
	"gatehouse/usage"
)

// Drained is what a process that was taken over has to say, while its requests last,
// to the one that has the state now.
type Drained struct {
	Since   uint64          `json:"since"` // the revision of the state that it knows
	Follows bool            `json:"follows"`
	Uses    usage.Uses      `json:"uses,omitempty"`
	Logouts []revoked.Ended `json:"logouts,omitempty"`
}

// drained answers a process that was taken over.
func (g *Gateway) drained(_ context.Context, in Drained) (any, error) {
	k := g.keepers
	k.usage.Add(in.Uses)
	var failed error
	for _, e := range in.Logouts {
		// One that waits here is this process's from now on.
		failed = errors.Join(failed, k.logouts.End(e.Key, time.Unix(e.At, 0), time.Unix(e.Until, 0)))
	}
	if failed != nil {
		g.log.Warn("logouts at the process before wait to be stored", "error", failed)
	}
	if !in.Follows {
		return state.News{}, nil
	}
	return k.state.News(in.Since), nil
}

// follower is the end of a process that was taken over: it hears each second what
// the new one knows, such as revocations, and tells it what was used of quotas.
type follower struct {
	g      *Gateway
	client *admin.Client
	since  uint64
	keeper *secrets.Keeper
}

// follow begins to follow the process that has taken over.
func (g *Gateway) follow() {
	k := g.keepers
	if !k.state.Loaded() {
		return // there is none
	}
	f := &follower{g: g, client: admin.Dial(g.current.Load().config.Data.Value), since: k.state.Revision()}
	f.keeper = secrets.NewKeeper(secrets.KeeperOptions{Log: g.log, Chores: []func(context.Context){f.exchange}})
	g.following.Store(f)
	f.keeper.Start()
}

// lastExchange is how long the last words may take.
const lastExchange = 2 * time.Second

// end says the last words, once there are no more requests. F may be nil.
func (f *follower) end() {
	if f == nil {
		return
	}
	f.keeper.Close()
	ctx, cancel := context.WithTimeout(context.Background(), lastExchange)
	defer cancel()
	f.exchange(ctx)
}

// exchange tells and hears. What could not be said for want of a process is said
// with the next; what may have been heard is not said again.
func (f *follower) exchange(ctx context.Context) {
	k := f.g.keepers
	say := Drained{Since: f.since, Follows: !k.state.External(), Uses: k.usage.Collect(), Logouts: k.logouts.Waiting()}
	if k.state.External() {
		say.Logouts = nil // they are stored from here
	}
	var news state.News
	err := f.client.Act(ctx, "drained", say, &news)
	var none *admin.NotRunning
	var refused *admin.Error
	switch {
	case errors.As(err, &none), errors.As(err, &refused): // as by one that is taken over itself just now
		k.usage.Return(say.Uses)
	case err != nil:
		f.g.log.Debug("the process that has taken over was not told", "error", err)
	default:
		k.logouts.Settled(say.Logouts)
		k.state.Hear(news)
		f.since = max(f.since, news.At)
	}
}

package usage

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"gatehouse/config"
	"gatehouse/exchange"
	"gatehouse/limit"
	"gatehouse/state"
)

// house is a Keeper with its state, which can be closed and opened again.
type house struct {
	*Keeper
	store     *state.Store
	data, key string
}

func newHouse(t testing.TB) *house {
	dir := t.TempDir()
	h := &house{data: filepath.Join(dir, "data"), key: filepath.Join(dir, "master.key")}
	if err := os.Mkdir(h.data, 0o700); err != nil {
		t.Fatal(err)
	}
	h.open(t)
	t.Cleanup(h.close)
	return h
}

func (h *house) open(t testing.TB) {
	log := slog.New(slog.DiscardHandler)
	c := &state.Config{}
	c.MasterKey.File = &config.Path{Value: h.key}
	h.store = state.New(state.Options{Data: h.data, Config: c, Log: log})
	h.Keeper = NewKeeper(h.store, log)
	if err := h.Prepare(h.data); err != nil {
		t.Fatal(err)
	}
	if err := h.store.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.Start()
	h.SetPlans(plans())
}

func (h *house) close() {
	h.Close()
	h.store.Close()
}

func plans() map[string]*Plan {
	rate := func(s string) limit.Rate {
		var r limit.Rate
		if err := r.UnmarshalText([]byte(s)); err != nil {
			panic(err)
		}
		return r
	}
	return map[string]*Plan{
		"gold":   {Name: "gold", Throttle: &Throttle{Rate: rate("100/s"), Burst: 200}, Quota: &Quota{Limit: 5, Per: Day}, APIs: []Deployment{{API: "shop/prod"}}},
		"slow":   {Name: "slow", Throttle: &Throttle{Rate: rate("1/h"), Burst: 1}, Quota: &Quota{Limit: 5, Per: Month}, APIs: []Deployment{{API: "shop", Routes: []RouteThrottle{{Route: "GET /x", Rate: rate("1/h"), Burst: 3}}}}},
		"vast":   {Name: "vast", Throttle: &Throttle{Rate: rate("1000000/s"), Burst: 1 << 30}, Quota: &Quota{Limit: 1e15, Per: Week}, APIs: []Deployment{{API: "shop"}}},
		"absent": {Name: "absent", Quota: &Quota{Limit: 5, Per: Day}, APIs: []Deployment{{API: "other"}}},
	}
}

// door is both filters around a target.
type door struct {
	chain  http.Handler
	served atomic.Int64
	seen   *exchange.APIKey
	sent   http.Header
}

func newDoor(k *Keeper, route string) *door {
	d := &door{}
	var list []*Plan
	for _, p := range plans() {
		list = append(list, p)
	}
	lease := limit.NewKeeper(limit.Options{}).Begin()
	rule := &Rule{Want: Required}
	offers := OffersFor(list, "shop", "prod", route)
	target := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		d.served.Add(1)
		d.seen, d.sent = exchange.From(r).APIKey, r.Header
	})
	d.chain = Require(rule, offers, k)(Charge(rule, offers, k, lease)(target))
	return d
}

type reply struct {
	*httptest.ResponseRecorder
	reason string
}

// ask sends a request with an API key, in the header or from an authorizer.
func (d *door) ask(values []string, authorizers string) reply {
	rec := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	if values != nil {
		r.Header[headerName] = values
	}
	x, r := exchange.Begin(rec, r, &exchange.Conn{Source: netip.MustParseAddrPort("192.0.2.1:1")}, nil)
	if authorizers != "" {
		x.Principal = &exchange.Principal{ID: "a", UsageKey: authorizers}
	}
	d.chain.ServeHTTP(&x.Writer, r)
	x.Finish()
	out := reply{ResponseRecorder: rec}
	if x.Refused != nil {
		out.reason = x.Refused.Reason
	}
	return out
}

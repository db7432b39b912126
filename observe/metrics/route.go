package metrics

import (
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/exchange"
)

// stripes is how many shards a Route has at most: requests on different cores
// count in different memory.
const stripes = 4

// Key says which route of which deployment is meant. All empty, it is the
// requests that no API serves; with an API and no Route, those that none of its
// routes matched.
type Key struct{ API, Stage, Route string }

// Route counts the requests of one route. It is safe for concurrent use, and
// costs memory only once it has counted.
type Route struct {
	key    Key
	api    *apiSeries
	shards [stripes]atomic.Pointer[shard]
}

// shard is what requests of one stripe count in.
type shard struct {
	latency     histogram
	integration histogram
	in, out     atomic.Uint64
	rest        atomic.Uint64 // requests whose code found no place
	codes       codes
}

// Retire implements keeper.Entry. The series are no longer shown; requests
// that still hold the Route count into nothing.
func (r *Route) Retire() {}

// Count counts a request that has ended, in the shard of a stripe.
func (r *Route) Count(stripe uint32, x *exchange.Exchange, latency time.Duration) {
	s := r.shard(stripe % stripes)
	if !s.codes.add(methodIndex(x.Method), x.Writer.Status()) {
		s.rest.Add(1)
	}
	if t := x.Tunnel; t != nil && t.Open {
		s.tunnel(t) // how long it was open is no latency
	} else {
		s.latency.observe(latency)
	}
	if x.Upstream.Latency > 0 {
		s.integration.observe(x.Upstream.Latency)
	}
	if n := x.Body.Received(); n > 0 {
		s.in.Add(uint64(n))
	}
	if n := x.Writer.Bytes(); n > 0 {
		s.out.Add(uint64(n))
	}
	if x.Refused != nil {
		r.api.refuse(x.Refused)
	}
}

// tunnel counts what passed through a tunnel.
func (s *shard) tunnel(t *exchange.Tunnel) {
	s.in.Add(uint64(t.In))
	s.out.Add(uint64(t.Out))
}

func (r *Route) shard(i uint32) *shard {
	if s := r.shards[i].Load(); s != nil {
		return s
	}
	r.shards[i].CompareAndSwap(nil, new(shard))
	return r.shards[i].Load()
}

// The methods that are labels. Others are counted as OTHER.
const methodOther = 7

func methodNames() [methodOther + 1]string {
	return [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"}
}

func methodIndex(method string) uint8 {
	switch method {
	case "GET":
		return 0
	case "HEAD":
		return 1
	case "POST":
		return 2
	case "PUT":
		return 3
	case "PATCH":
		return 4
	case "DELETE":
		return 5
	case "OPTIONS":
		return 6
	}
	return methodOther
}

// apiSeries counts the refusals of one API, or of the gateway's own.
type apiSeries struct {
	name  string
	mu    sync.Mutex // of adding to refusals
	index atomic.Pointer[map[refusalKey]*atomic.Uint64]
}

type refusalKey struct{ filter, reason string }

// maxRefusals bounds the pairs of filter and reason of an API; both come from
// code, so that the bound is a safeguard only.
const maxRefusals = 512

// Retire implements keeper.Entry.
func (a *apiSeries) Retire() {}

func (a *apiSeries) refuse(f *exchange.Refusal) {
	key := refusalKey{reason: f.Reason}
	if f.Rule != nil {
		key.filter = f.Rule.Filter
	}
	if index := a.index.Load(); index != nil {
		if n := (*index)[key]; n != nil {
			n.Add(1)
			return
		}
	}
	a.counter(key).Add(1)
}

// counter makes the counter of a pair that is new: the index is copied, so
// that readers need no lock.
func (a *apiSeries) counter(key refusalKey) *atomic.Uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	index := map[refusalKey]*atomic.Uint64{}
	if old := a.index.Load(); old != nil {
		if len(*old) >= maxRefusals {
			key = refusalKey{"other", "other"}
		}
		if n := (*old)[key]; n != nil {
			return n
		}
		for k, n := range *old {
			index[k] = n
		}
	}
	n := new(atomic.Uint64)
	index[key] = n
	a.index.Store(&index)
	return n
}

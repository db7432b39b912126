package jwt

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/auth/discovery"
)

// Fetch gets a URL: the body and the header of an answer with status 200, or
// an error. It bounds the body to a little over 1 MiB and follows ctx.
type Fetch = discovery.Fetch

// How keys are fetched.
const (
	fetchTimeout = 10 * time.Second
	minRefresh   = 5 * time.Minute
	maxRefresh   = 24 * time.Hour
	usualRefresh = time.Hour        // where the issuer says nothing
	minAsk       = 30 * time.Second // between fetches for keys that were missing
	minRetry     = time.Second      // after the first failure, doubled for each
	maxRetry     = 5 * time.Minute
	maxEmpty     = 30 * time.Second // longest pause while there are no keys at all
	patience     = 2 * time.Second  // how long a request waits for a fetch that is under way
)

// source gives a Verifier its keys.
type source interface {
	// current returns the keys; nil where none have come yet.
	current() *keySet
	// renewed waits a little for keys newer than those a request has found
	// wanting, and returns the keys then; nil where none have come yet.
	renewed() *keySet
}

// fixed is keys that never change.
type fixed struct{ set *keySet }

func (f fixed) current() *keySet { return f.set }
func (f fixed) renewed() *keySet { return f.set }

// spring is where keys come from, and what gets them from there.
type spring struct {
	url     string // of the keys, or of the issuer's description
	issuer  string // whose description says where the keys are; "" where url does
	fetch   Fetch
	foreign Fetch // gets keys from a server that the issuer names, and the operator did not
}

// remote is the keys behind a URL. Its goroutine fetches them until it is
// retired; what was fetched last stays in use as long as nothing better comes.
type remote struct {
	spring
	log    *slog.Logger
	ctx    context.Context // ends when the entry is retired
	cancel context.CancelFunc
	wanted chan struct{} // a request asks for newer keys
	keys   atomic.Pointer[keySet]

	mu       sync.Mutex
	flight   chan struct{} // closed when the fetch under way or asked for has ended; nil for none
	asked    time.Time     // when a request last had a fetch made
	fetched  time.Time     // when keys last came
	body     []byte        // as they came; nil for never
	failed   int           // fetches since then that failed
	failures int           // fetches that failed since the first
	problem  string        // why the last one failed; "" where it did not
}

// newRemote starts fetching at once, in the background. What is known already is
// used until then; nil for nothing.
func newRemote(p spring, known *Fetched, log *slog.Logger) *remote {
	ctx, cancel := context.WithCancel(context.Background())
	r := &remote{spring: p, log: log.With(slog.String("jwks", p.url)), ctx: ctx, cancel: cancel, wanted: make(chan struct{}, 1), flight: make(chan struct{})}
	r.begin(known)
	go r.run()
	return r
}

// Retire ends the fetching; the keys stay usable for whoever holds them.
func (r *remote) Retire() { r.cancel() }

func (r *remote) run() {
	for {
		timer := time.NewTimer(r.refresh())
		select {
		case <-r.ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-r.wanted:
			timer.Stop()
		}
	}
}

// refresh fetches once and returns how long to wait before the next time.
func (r *remote) refresh() time.Duration {
	r.mu.Lock()
	if r.flight == nil {
		r.flight = make(chan struct{})
	}
	select {
	case <-r.wanted: // by this fetch
	default:
	}
	r.mu.Unlock()
	set, body, header, err := r.get()
	if err == nil {
		r.install(set)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.flight)
	r.flight = nil
	if err != nil {
		return r.fail(err)
	}
	if r.problem != "" {
		r.log.Info("the keys are reachable again")
	}
	r.body, r.fetched, r.failed, r.problem = body, time.Now(), 0, ""
	pause := lifetime(header)
	return pause - rand.N(pause/10+1) // not all gateways at once
}

func (r *remote) get() (*keySet, []byte, http.Header, error) {
	ctx, cancel := context.WithTimeout(r.ctx, fetchTimeout)
	defer cancel()
	fetch, url, err := r.locate(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	body, header, err := fetch(ctx, url)
	if err != nil {
		return nil, nil, nil, err
	}
	set, err := parsePublic(body)
	return set, body, header, err
}

// parsePublic reads a key set from a network, which may hold no secrets.
func parsePublic(body []byte) (*keySet, error) {
	set, err := parseKeySet(body)
	if err == nil {
		err = set.dropSecrets()
	}
	return set, err
}

// locate returns where the keys are, and what gets them from there. An issuer is
// asked anew each time: it may move them.
func (r *remote) locate(ctx context.Context) (Fetch, string, error) {
	if r.issuer == "" {
		return r.fetch, r.url, nil
	}
	body, _, err := r.fetch(ctx, r.url)
	if err != nil {
		return nil, "", err
	}
	d, err := discovery.Parse(r.issuer, body)
	switch {
	case err != nil:
		return nil, "", err
	case d.Keys == "":
		return nil, "", errors.New("the issuer's description names no keys (jwks_uri)")
	}
	if foreign, _ := discovery.Foreign(r.issuer, d.Keys); foreign {
		return r.foreign, d.Keys, nil
	}
	return r.fetch, d.Keys, nil
}

// install puts new keys to use. Those that are there no longer are gone, with
// all that they signed.
func (r *remote) install(set *keySet) {
	before := r.keys.Load()
	set.adopt(before)
	r.keys.Store(set)
	if before == nil || !same(before.skipped, set.skipped) {
		for _, reason := range set.skipped {
			r.log.Warn("a key cannot be used", slog.String("reason", reason))
		}
	}
}

func same(a, b []string) bool { return strings.Join(a, "\n") == strings.Join(b, "\n") }

// fail notes a failure, says it when it is a new one, and returns how long to
// wait: longer each time.
func (r *remote) fail(err error) time.Duration {
	if r.ctx.Err() == nil && r.problem != err.Error() {
		r.problem = err.Error()
		r.log.Warn("the keys cannot be fetched", slog.String("error", r.problem), slog.Bool("lastGoodKept", r.keys.Load() != nil))
	}
	most := maxRetry
	if r.keys.Load() == nil {
		most = maxEmpty
	}
	pause := min(minRetry<<min(r.failed, 16), most)
	r.failed++
	r.failures++
	return pause - rand.N(pause/10+1)
}

func (r *remote) current() *keySet {
	set := r.keys.Load()
	if set != nil {
		return set
	}
	r.mu.Lock()
	flight, first := r.flight, r.failed == 0
	r.mu.Unlock()
	if first { // the gateway has just begun: the keys may be here at any moment
		await(flight)
	}
	return r.keys.Load()
}

// renewed has keys fetched anew, at most once in 30 seconds however many
// requests ask.
func (r *remote) renewed() *keySet {
	await(r.ask())
	return r.keys.Load()
}

func (r *remote) ask() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flight != nil {
		return r.flight
	}
	now := time.Now()
	if now.Sub(r.asked) < minAsk || r.ctx.Err() != nil {
		return nil
	}
	r.asked, r.flight = now, make(chan struct{})
	select {
	case r.wanted <- struct{}{}:
	default: // already asked
	}
	return r.flight
}

func await(flight <-chan struct{}) {
	if flight == nil {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-flight:
	case <-timer.C:
	}
}

// lifetime returns how long keys are good by their Cache-Control field (RFC
// 9111 section 5.2.2), within bounds.
func lifetime(h http.Header) time.Duration {
	for _, field := range h["Cache-Control"] {
		for directive := range strings.SplitSeq(field, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch strings.ToLower(name) {
			case "no-store", "no-cache":
				return minRefresh
			case "max-age":
				seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
				if err != nil {
					continue
				}
				return min(max(time.Duration(seconds)*time.Second, minRefresh), maxRefresh)
			}
		}
	}
	return usualRefresh
}

var errNoKeys = errors.New("no keys have come yet")

// KeysStatus is the state of the keys behind one URL.
type KeysStatus struct {
	URL      string        `json:"url"`
	Keys     int           `json:"keys"`              // keys in use
	Age      time.Duration `json:"age"`               // since they were last fetched; 0 for never
	Failures int           `json:"failures"`          // fetches that failed since the first
	Problem  string        `json:"problem,omitempty"` // why the last one failed
}

func (r *remote) status() KeysStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := KeysStatus{URL: r.url, Failures: r.failures, Problem: r.problem}
	if set := r.keys.Load(); set != nil {
		s.Keys, s.Age = len(set.keys), time.Since(r.fetched)
	} else if s.Problem == "" {
		s.Problem = errNoKeys.Error()
	}
	return s
}

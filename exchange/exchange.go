package exchange

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Conn is what is known of a client's connection. It is shared by all requests
// of the connection and never changes once the first request has begun.
type Conn struct {
	Listener string         // the listener's address as configured
	Peer     netip.AddrPort // who connected: a proxy, or the client itself; never IPv4-mapped
	Source   netip.AddrPort // the client that a trusted PROXY header named, else Peer
	Trusted  bool           // Peer may say on whose behalf it speaks (X-Forwarded-*, Forwarded)
	TLS      bool
	SNI      string // lower case, without a final dot; empty without TLS
	// Certificates are what the client showed, its own first. Nobody has verified
	// them but for the client's having the key of the first. Nil where it was asked
	// for none, or showed none. Fingerprint is the first one's SHA-256.
	Certificates []*x509.Certificate
	Fingerprint  [sha256.Size]byte
	// JA3 and JA4 tell clients apart by their TLS handshake: JA3 as MD5 in
	// hexadecimal digits. Empty without TLS, and where no rule asks for them.
	JA3, JA4 string
	// Order returns the names of the fields of the request that is served, as the
	// client sent them, in small letters and joined by ":". Nil by HTTP/2, and where
	// no rule asks for it.
	Order func() string
}

// Param is one path parameter: the part of the path that {name} matched.
type Param struct {
	Name  string
	Value string // decoded; what {name+} and {name*} matched, with "/" between its segments
	First int    // the first of Path.Segments that it matched
	Count int    // how many it matched: 1, or any number for {name+} and {name*}
}

// Upstream is what became of the request behind the gateway.
type Upstream struct {
	Service  string        // the service's name, or the address of an inline target
	Target   string        // the last target tried, HOST:PORT
	Status   int           // its answer's status; 0 where none came
	Attempts int           // how many targets were tried
	Reused   bool          // the last attempt went over a pooled connection
	Queued   time.Duration // waiting for the service to have room, before the first attempt
	Init     time.Duration // of a function's process that was started for the request; 0 for one that was there
	Connect  time.Duration // dialling and TLS, of all attempts
	Latency  time.Duration // from the request's first byte sent to the answer's head, last attempt
	Error    string        // why it failed, for the log: "connect refused"; never sent to the client
}

// RateLimit is what the tightest of the request's rate limits leaves its caller.
type RateLimit struct {
	Policy    string        // the limit's name in the RateLimit-Policy field; "" where none applied
	Remaining int           // requests that may follow at once
	Reset     time.Duration // no more than Remaining should follow before it has passed
}

// APIKey is the API key that a request came with. It is immutable and shared by
// requests.
type APIKey struct {
	ID   string // what it is called by; no credential
	Name string // what its owner is called
	Plan string // its usage plan
}

// Coding is the content coding that the gateway itself gave the answer.
type Coding struct {
	Name  string // as Content-Encoding says it: "gzip"; "" where it gave none
	Plain int64  // bytes of the body before it
}

// Trace is the request's place in a distributed trace (W3C Trace Context).
type Trace struct {
	ID      [16]byte
	Span    [8]byte // ours, the parent of what happens behind the gateway
	Parent  [8]byte // the client's; zero where it sent none
	Sampled bool
}

// Exchange is the record of one request. Fields are set by the room that
// learns them, in the order of the request's path, and only read after it.
type Exchange struct {
	// The entry sets these before any filter runs.
	ID         string     // ours, unguessable; the answer's x-amzn-requestid
	Start      time.Time  // when the request's head had been read
	Conn       *Conn      // never nil
	Client     netip.Addr // whom limits and rules take for the client; never IPv4-mapped
	Method     string
	Host       string // lower case, without port and final dot
	Proto      string // "HTTP/1.1", "HTTP/2.0"
	Path       Path
	Trace      Trace
	Generation uint64 // of the configuration that serves the request

	// Routing sets these. They are empty for what the engine refused.
	API       string
	Stage     string
	Route     string            // as written: "GET /orders/{id}"; "" where no route matched
	RouteAt   Position          // where the route stands
	Params    []Param           // in the order of the path
	Variables map[string]string // the stage's, or the canary's; never written to
	Skip      int               // the first segments of the path that are the stage's
	Verb      string            // the method that policies decide about: GET for a HEAD that a route for GET serves
	Allow     string            // the methods that the path takes, where the request's is none of them
	Responses Responses         // the API's own forms of refusals; nil for none

	// Filters set these.
	Principal *Principal // nil for strangers; shared, never written to
	APIKey    *APIKey    // nil where none was asked for
	Labels    []string
	Country   string // of Client, by ISO 3166-1 alpha-2; "" where nobody asked, or it is not known
	Variant   Variant
	RateLimit RateLimit
	Upstream  Upstream
	Coding    Coding
	Tunnel    *Tunnel // nil where the request is no tunnel's
	Trail     Trail

	// Refused is the gateway's own refusal; nil where a target answered.
	Refused *Refusal
	// Aborted says that the answer was cut off before it was complete: the
	// client went away, the target broke off, or a body filter failed.
	Aborted bool

	Body   Body
	Writer Writer

	refusal  Refusal // what Refused points to
	params   []Param // the memory of Params, used again
	deadline time.Time
	parent   context.Context
	mu       sync.Mutex
	derived  context.Context // made when Done is first asked for under a deadline
	cancel   context.CancelFunc
	held     bool // somebody may still hold the Exchange: it is not used again
	owned    bool // it is a connection's, for one request after the other
	ended    bool // Finish or Abort was called
}

var pool = sync.Pool{New: func() any { return &Exchange{params: make([]Param, 0, 8)} }}

// ForConnection returns an Exchange for the requests of one connection, one
// after the other, as their context. Parent is the connection's context. Begin
// knows it again; once it is Spent the connection needs another.
func ForConnection(parent context.Context) *Exchange {
	return &Exchange{parent: parent, owned: true, params: make([]Param, 0, 8)}
}

// Spent reports of an Exchange made by ForConnection, once a request has ended,
// that it must not be used for another.
func (x *Exchange) Spent() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.held
}

// Begin starts the record of a request and returns it with the request to
// serve, whose context and body it is. Every Begin is followed by one Finish.
func Begin(w http.ResponseWriter, r *http.Request, conn *Conn, budget *Budget) (*Exchange, *http.Request) {
	x, ok := r.Context().(*Exchange)
	if !ok || !x.owned {
		x = pool.Get().(*Exchange)
		x.parent = r.Context()
		r = r.WithContext(x)
	}
	x.ID = newID()
	x.Start = time.Now()
	x.Conn = conn
	x.Client = conn.Source.Addr()
	x.Method = r.Method
	x.Proto = r.Proto
	x.Params = x.params[:0]
	x.Body.begin(r, budget)
	x.Writer.begin(x, w, r.Method)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &x.Body
	}
	return x, r
}

// Now returns the time, reckoned from Start by the clock that never jumps. It is
// half as dear as time.Now.
func (x *Exchange) Now() time.Time { return x.Start.Add(time.Since(x.Start)) }

// From returns the Exchange of a request; nil for a request that did not come
// through the gateway's entry.
func From(r *http.Request) *Exchange {
	return FromContext(r.Context())
}

// FromContext returns the Exchange that ctx is, or descends from; nil for none.
func FromContext(ctx context.Context) *Exchange {
	if x, ok := ctx.(*Exchange); ok {
		return x
	}
	x, _ := ctx.Value(contextKey{}).(*Exchange)
	return x
}

// Finish completes the answer (an untouched one becomes an empty 200), ends
// body filters and contexts, and gives the body's memory back. What is to be
// printed from the Exchange is printed after Finish and before Release. Where
// Aborted is set after it, a body filter failed and the answer is incomplete:
// the engine must close the connection.
func (x *Exchange) Finish() {
	x.Writer.finish()
	x.end()
}

// Abort ends the record of a request whose answer cannot be completed: body
// filters are told to give up what they hold.
func (x *Exchange) Abort() {
	x.Aborted = true
	defer x.end() // also where a filter panics
	x.Writer.abort()
}

func (x *Exchange) end() {
	x.Body.end()
	x.mu.Lock()
	x.ended = true
	cancel := x.cancel
	x.mu.Unlock()
	if cancel != nil {
		cancel() // without the lock: children of ours ask for Err
	}
}

// Release gives the Exchange up. It is used again for another request unless
// somebody asked for its Done, or keeps it. Slices of its fields (Labels,
// Params, Path.Segments, Trail.Steps) are used again with it: whoever prints
// from them later copies them first.
func (x *Exchange) Release() {
	x.mu.Lock()
	held := x.held
	x.mu.Unlock()
	if held {
		return
	}
	decoded := x.Path.decoded[:0]
	labels, params := emptied(x.Labels), emptied(x.params[:cap(x.params)])
	steps, segments := emptied(x.Trail.steps), emptied(x.Path.Segments)
	hooks, filters := emptied(x.Writer.hooks), emptied(x.Writer.filters)
	parent, owned := x.parent, x.owned
	*x = Exchange{}
	x.Path.decoded = decoded
	x.Labels, x.params = labels, params
	x.Trail.steps, x.Path.Segments = steps, segments
	x.Writer.hooks, x.Writer.filters = hooks, filters
	if owned {
		x.parent, x.owned = parent, true
		return
	}
	pool.Put(x)
}

// emptied returns s without its elements, so that it keeps nothing alive.
func emptied[T any](s []T) []T {
	clear(s)
	return s[:0]
}

// Keep says that something outlives the request and holds the Exchange, such
// as a hijacked connection: it is then never used again.
func (x *Exchange) Keep() {
	x.mu.Lock()
	x.held = true
	x.mu.Unlock()
}

// Param returns the value of the path parameter name.
func (x *Exchange) Param(name string) (string, bool) {
	for _, p := range x.Params {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

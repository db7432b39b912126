package validate

import (
	"net/http"
	"strings"
	"sync"

	"gatehouse/exchange"
	"gatehouse/validate/jsondoc"
	"gatehouse/validate/schema"
)

// New returns the filter that refuses requests which are not what an operation
// takes; nil where cfg wants nothing checked, or nothing is known of the
// operation.
func New(cfg *Config, o *Operation) func(http.Handler) http.Handler {
	if !cfg.Wanted() || o == nil {
		return nil
	}
	f := filter{
		Operation: o, config: cfg, rule: &exchange.Rule{Filter: "validate", Name: name(cfg), At: cfg.Pos},
		limits: jsondoc.Limits{Depth: cfg.Depth, Nodes: cfg.Values}, limit: int64(cfg.Limit),
	}
	return func(next http.Handler) http.Handler {
		f := f
		f.next = next
		return &f
	}
}

func name(cfg *Config) string {
	switch {
	case !cfg.Body:
		return "parameters"
	case !cfg.Parameters:
		return "body"
	}
	return "parameters and body"
}

// filter is the step of a route's path. It is immutable.
type filter struct {
	*Operation
	config *Config
	rule   *exchange.Rule
	limits jsondoc.Limits
	limit  int64
	next   http.Handler
}

// visit is one request while it is checked. Visits are used again.
type visit struct {
	*filter
	x       *exchange.Exchange
	r       *http.Request
	doc     *jsondoc.Doc
	checker schema.Checker
	pairs   []pair
	scratch []byte
}

var visits = sync.Pool{New: func() any {
	v := &visit{doc: jsondoc.New()}
	v.checker.Doc = v.doc
	return v
}}

// fault is what is wrong with a request.
type fault struct {
	status  int // 0 for none
	kind    exchange.ResponseType
	reason  string // the metrics' label
	message string // what API Gateway says of it
	detail  string
	body    error // of reading the body; all else is empty then
}

func (f *filter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := visits.Get().(*visit)
	v.filter, v.x, v.r = f, exchange.From(r), r
	wrong := v.check()
	v.release()
	switch {
	case wrong.body != nil:
		exchange.Refuse(w, r, exchange.BodyRefusal(f.rule, wrong.body))
	case wrong.status != 0:
		f.refuse(w, r, &wrong)
	default:
		exchange.From(r).Trail.Add(f.rule, exchange.Passed, "")
		f.next.ServeHTTP(w, r)
	}
}

// keepScratch is the largest room that a visit keeps for the next request.
const keepScratch = 64 << 10

func (v *visit) release() {
	v.doc.Reset()
	clear(v.pairs[:cap(v.pairs)])
	v.filter, v.x, v.r, v.pairs = nil, nil, nil, v.pairs[:0]
	if cap(v.scratch) > keepScratch {
		v.scratch = nil
	}
	visits.Put(v)
}

func (v *visit) check() fault {
	if v.config.Parameters {
		if wrong := v.parameters(); wrong.status != 0 {
			return wrong
		}
	}
	if v.config.Body {
		return v.checkBody()
	}
	return fault{}
}

func (f *filter) refuse(w http.ResponseWriter, r *http.Request, wrong *fault) {
	message := wrong.message
	if f.config.Details && !strings.HasPrefix(message, "Missing") && wrong.detail != "" {
		message += ": " + wrong.detail
	}
	exchange.Refuse(w, r, exchange.Refusal{Status: wrong.status, Kind: wrong.kind, Rule: f.rule, Reason: wrong.reason, Message: message, Detail: wrong.detail})
}

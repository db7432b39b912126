package mirror

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"

	"gatehouse/balance"
	"gatehouse/exchange"
)

// Shadow is where the copies of a route's requests go.
type Shadow struct {
	*Config
	Name    string       // of the target: copies for equal names wait in one queue
	Handler http.Handler // the target
	// Path appends the path that the route's target is sent.
	Path func(x *exchange.Exchange, b []byte) []byte
	// Secret are the header fields, beside the usual ones, that prove who calls.
	Secret []string
	// Redact appends a query without the credentials in it.
	Redact func(b []byte, query string) []byte
}

// New returns the filter that copies a route's requests; nil for a nil Shadow,
// and where nothing is to be copied.
func New(s *Shadow, l *Lease) func(http.Handler) http.Handler {
	if s == nil || s.Percent == 0 {
		return nil
	}
	f := filter{
		Shadow: s, queue: l.queue(s.Name, s.Concurrent), portion: balance.NewPortion(balance.Percent(s.Percent)),
		rule:   &exchange.Rule{Filter: "mirror", Name: fmt.Sprintf("%v %% to %s", s.Percent, s.Name), At: s.Pos},
		secret: make(map[string]bool),
	}
	for _, name := range append(usual(), s.Secret...) {
		f.secret[textproto.CanonicalMIMEHeaderKey(name)] = true
	}
	return func(next http.Handler) http.Handler {
		f := f
		f.next = next
		return &f
	}
}

// usual are the header fields that usually prove who calls.
func usual() []string {
	return []string{"Authorization", "Cookie", "X-Api-Key", "X-Auth-Token", "X-Amz-Security-Token", "X-Csrf-Token", "X-Xsrf-Token"}
}

// Field is the header that marks a copy: it holds the request's id. No client
// can send it.
const Field = "X-Gatehouse-Mirror"

// filter is one step of a route's path. It is immutable, but for the count of
// its portion.
type filter struct {
	*Shadow
	queue   *Queue
	portion *balance.Portion
	rule    *exchange.Rule
	secret  map[string]bool
	next    http.Handler
}

func (f *filter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	if !f.portion.Next() || len(r.Header["Upgrade"]) > 0 {
		f.next.ServeHTTP(w, r)
		return
	}
	if f.queue.full() {
		f.queue.counts[droppedFull].Add(1)
		x.Trail.Add(f.rule, exchange.Passed, "no copy: too many wait")
		f.next.ServeHTTP(w, r)
		return
	}
	l := f.copy(x, r)
	if x.Body.Declared() == 0 {
		x.Trail.Add(f.rule, exchange.Passed, "copied")
		f.queue.put(l)
		f.next.ServeHTTP(w, r)
		return
	}
	x.Trail.Add(f.rule, exchange.Passed, "copied, if the body allows it")
	l.copy = x.Body.Copy(int64(f.Body))
	defer f.finish(l) // also where the answer breaks off: the request has been made all the same
	f.next.ServeHTTP(w, r)
}

// finish queues a copy whose body has been read meanwhile.
func (f *filter) finish(l *letter) {
	body, err := l.copy.Bytes()
	switch {
	case err == nil:
		l.body = body
		f.queue.put(l)
	case errors.Is(err, exchange.ErrBodyTooLarge):
		f.queue.drop(l, droppedLarge)
	case errors.Is(err, exchange.ErrBodyBudget):
		f.queue.drop(l, droppedBudget)
	default:
		f.queue.drop(l, droppedPartial)
	}
}

// copy takes of a request what the target gets of it, but for the body.
func (f *filter) copy(x *exchange.Exchange, r *http.Request) *letter {
	l := &letter{
		shadow: f.Handler, method: r.Method, host: r.Host, conn: x.Conn, client: x.Client, timeout: f.Timeout.D(),
		header: make(http.Header, len(r.Header)+1),
	}
	b := f.Path(x, make([]byte, 0, 128))
	if q := x.Path.Asked(); q != "" {
		b = append(b, '?')
		if f.Credentials {
			b = append(b, q...)
		} else {
			b = f.Redact(b, q)
		}
	}
	l.target = string(b)
	for name, values := range r.Header {
		if name != "Expect" && (f.Credentials || !f.secret[name]) {
			l.header[name] = append([]string(nil), values...)
		}
	}
	l.header[Field] = []string{x.ID}
	return l
}

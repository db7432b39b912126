package function

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"gatehouse/event"
	"gatehouse/exchange"
)

// maxEvent is how large an event may be.
const maxEvent = 6 << 20

// Route is a route whose target is a function.
type Route struct {
	Function *Function
	Form     event.Form
	Binary   event.MediaTypes // of payload format 1.0
	Account  string
	Rule     *exchange.Rule
}

// New returns what answers a route by its function.
func New(route Route) http.Handler {
	return &target{route, "function:" + route.Function.Name()}
}

type target struct {
	Route
	name string
}

// ServeHTTP implements http.Handler.
func (t *target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	body, err := x.Body.All(maxEvent)
	if err != nil {
		exchange.Refuse(w, r, exchange.BodyRefusal(t.Rule, err))
		return
	}
	buf := takeBuffer()
	*buf = t.event((*buf)[:0], x, r, body)
	if len(*buf) > maxEvent {
		giveBuffer(buf)
		exchange.Refuse(w, r, exchange.BodyRefusal(t.Rule, exchange.ErrBodyTooLarge))
		return
	}
	result := t.Function.Invoke(Invoke{ID: x.ID, Event: *buf, Trace: trace(r), Until: until(x)})
	defer result.Free()
	if result.Outcome == Answered || result.Outcome == Failed {
		giveBuffer(buf) // else it may still be on its way
	}
	t.note(x, &result)
	switch {
	case result.Outcome != Answered:
		t.refuse(w, r, &result)
	case result.Stream != nil:
		t.stream(w, r, x, result.Stream)
	default:
		t.answer(w, r, x, &result)
	}
}

func (t *target) event(b []byte, x *exchange.Exchange, r *http.Request, body []byte) []byte {
	q := event.Request{Exchange: x, HTTP: r, Body: body, Account: t.Account, Binary: t.Binary}
	if t.Form == event.One {
		return event.AppendOne(b, &q)
	}
	return event.AppendTwo(b, &q)
}

func trace(r *http.Request) string {
	if v := r.Header["X-Amzn-Trace-Id"]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func until(x *exchange.Exchange) time.Time {
	at, _ := x.Deadline()
	return at
}

// note writes into the record what became of the request behind the gateway.
func (t *target) note(x *exchange.Exchange, r *Result) {
	u := &x.Upstream
	u.Service, u.Target, u.Attempts = t.name, r.Instance, 1
	u.Latency, u.Init, u.Reused = r.Duration, r.Init, r.Instance != "" && !r.Cold
	if r.Queued >= waited {
		u.Queued = r.Queued
	}
	if r.Cold {
		x.Trail.Add(t.Rule, exchange.Passed, "cold start")
	}
}

// waited is from when on an invoke counts as one that had to wait: a process that
// is free has it sooner.
const waited = 100 * time.Microsecond

// refuse says that there is no answer.
func (t *target) refuse(w http.ResponseWriter, r *http.Request, result *Result) {
	x := exchange.From(r)
	f := exchange.Refusal{Rule: t.Rule, Reason: result.Outcome.String(), Detail: result.Detail}
	switch result.Outcome {
	case Throttled:
		f.Status, f.Retry = http.StatusTooManyRequests, time.Second
	case TimedOut, Abandoned:
		f.Status, f.Message = http.StatusGatewayTimeout, "Endpoint request timed out"
	case Closed:
		f.Status, f.Retry = http.StatusServiceUnavailable, time.Second
	default:
		f.Status, f.Message = http.StatusBadGateway, internalError
	}
	x.Upstream.Error = result.Detail
	exchange.Refuse(w, r, f)
}

// internalError is what API Gateway tells of a function that gave no answer.
const internalError = "Internal server error"

// malformed refuses an answer that is none.
func (t *target) malformed(w http.ResponseWriter, r *http.Request, err error) {
	exchange.From(r).Upstream.Error = "malformed answer: " + err.Error()
	exchange.Refuse(w, r, exchange.Refusal{
		Status: http.StatusBadGateway, Message: internalError, Rule: t.Rule, Reason: "function-answer", Detail: "the function's answer: " + err.Error(),
	})
}

func (t *target) answer(w http.ResponseWriter, r *http.Request, x *exchange.Exchange, result *Result) {
	a, err := event.Read(result.Payload, t.Form)
	if err != nil {
		t.malformed(w, r, err)
		return
	}
	x.Upstream.Status = a.Status
	h := w.Header()
	set(h, a.Fields)
	if a.Status != http.StatusNoContent && a.Status != http.StatusNotModified {
		h["Content-Length"] = []string{strconv.Itoa(len(a.Body))}
	} else {
		a.Body = nil
	}
	w.WriteHeader(a.Status)
	if len(a.Body) > 0 && r.Method != http.MethodHead {
		_, _ = w.Write(a.Body)
	}
}

func set(h http.Header, fields []event.Field) {
	for _, f := range fields {
		h[f.Name] = append(slices.Clip(h[f.Name]), f.Value)
	}
}

// stream passes an answer on as it comes.
func (t *target) stream(w http.ResponseWriter, r *http.Request, x *exchange.Exchange, s *Stream) {
	defer s.Close()
	a := &event.Answer{Status: http.StatusOK, Fields: []event.Field{{Name: "Content-Type", Value: s.Type}}}
	prelude, err := s.Prelude()
	if err == nil && prelude != nil {
		a, err = event.ReadPrelude(prelude, t.Form)
	}
	if err != nil {
		t.malformed(w, r, err)
		return
	}
	x.Upstream.Status = a.Status
	set(w.Header(), a.Fields)
	w.WriteHeader(a.Status)
	if err := pass(w, s); err != nil {
		x.Upstream.Error = err.Error()
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
}

// pass copies until the end, and lets nothing wait for more. The error is the
// function's; of a client that has gone it says so too.
func pass(w http.ResponseWriter, s *Stream) error {
	flusher, _ := w.(http.Flusher)
	flusher.Flush()
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := s.Read(*buf)
		if n > 0 {
			if _, err := w.Write((*buf)[:n]); err != nil {
				return errors.New("the client went away")
			}
			flusher.Flush()
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return ErrCut
		}
	}
}

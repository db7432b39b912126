package function

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"gatehouse/http1"
)

// The paths of the Runtime API.
const (
	nextPath        = "/2018-06-01/runtime/invocation/next"
	invocationsPath = "/2018-06-01/runtime/invocation/"
	initErrorPath   = "/2018-06-01/runtime/init/error"
)

const (
	// maxAnswer is how large an answer may be that does not come bit by bit.
	maxAnswer = 6 << 20
	// maxError is how large the JSON of an error may be.
	maxError = 256 << 10
	// maxHead is how large a request's head may be: runtimes put up to a megabyte
	// of X-Ray's causes there.
	maxHead = 1<<20 + 64<<10
)

// The headers of the Runtime API, in net/http's spelling.
const (
	requestIDHeader = "Lambda-Runtime-Aws-Request-Id"
	deadlineHeader  = "Lambda-Runtime-Deadline-Ms"
	traceHeader     = "Lambda-Runtime-Trace-Id"
	arnHeader       = "Lambda-Runtime-Invoked-Function-Arn"
	contextHeader   = "Lambda-Runtime-Client-Context"
	errorHeader     = "Lambda-Runtime-Function-Error-Type"
	errorBodyHeader = "Lambda-Runtime-Function-Error-Body"
	modeHeader      = "Lambda-Runtime-Function-Response-Mode"
)

// owner is an instance as the HTTP engine sees it: the server of its connections.
type owner struct{ *instance }

type scope struct{ http1.Connection }

// Spent implements http1.Context: nobody keeps a request of the Runtime API.
func (scope) Spent() bool { return false }

// Context implements http1.Owner.
func (owner) Context(c http1.Connection) http1.Context { return scope{c} }

// Refused implements http1.Owner.
func (owner) Refused(f http1.Fault) (http.Header, []byte) {
	return http.Header{"Content-Type": {"application/json"}}, problem("InvalidRequest", f.Detail)
}

// Broken implements http1.Owner.
func (owner) Broken() {}

// SlowBody implements http1.Owner.
func (owner) SlowBody() {}

// Hijacked implements http1.Owner.
func (owner) Hijacked() {}

// Panicked implements http1.Owner.
func (o owner) Panicked(cause any) {
	o.pool.keeper.log.Error("the Runtime API panicked", "function", o.pool.version.config.Name, "panic", cause)
}

// ServeHTTP is the Runtime API of one process.
func (in *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case path == nextPath:
		if method(w, r, http.MethodGet) {
			in.next(w)
		}
		return
	case path == initErrorPath:
		if method(w, r, http.MethodPost) {
			in.initError(w, r)
		}
		return
	}
	rest, ok := strings.CutPrefix(path, invocationsPath)
	id, what, _ := strings.Cut(rest, "/")
	if !ok || what != "response" && what != "error" {
		refuse(w, http.StatusNotFound, "UnknownOperation", "the Runtime API of 2018-06-01 has no such path")
		return
	}
	if method(w, r, http.MethodPost) {
		in.result(w, r, id, what == "error")
	}
}

func method(w http.ResponseWriter, r *http.Request, want string) bool {
	if r.Method == want {
		return true
	}
	refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "the method is "+want)
	return false
}

func problem(kind, message string) []byte {
	body, _ := json.Marshal(struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}{message, kind})
	return body
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	body := problem(kind, message)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

var (
	jsonType   = []string{"application/json"}
	acceptedOK = []byte("{\"status\":\"OK\"}\n")
)

func accept(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"] = jsonType
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write(acceptedOK)
}

// next hands the process its next invocation, once there is one.
func (in *instance) next(w http.ResponseWriter) {
	work, v, open := in.pool.ready(in)
	if open && v == nil {
		v = <-work.wake
	}
	if v == nil {
		in.endIfIdle()
		panic(http.ErrAbortHandler) // there is no answer that a runtime would take for an end
	}
	in.pool.log.start(v, in)
	h := w.Header()
	work.describe(h, v, in.pool.version.arn)
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(v.Event)
	if f, ok := w.(interface{ FlushError() error }); ok && err == nil {
		err = f.FlushError()
	}
	if err != nil {
		in.pool.again(v)
	}
}

// describe writes the head that an invocation comes with.
func (w *worker) describe(h http.Header, v *invocation, arn string) {
	w.values = [6]string{v.ID, strconv.FormatInt(v.expires.UnixMilli(), 10), arn, strconv.Itoa(len(v.Event)), v.Trace, v.Context}
	for i, name := range [...]string{requestIDHeader, deadlineHeader, arnHeader, "Content-Length", traceHeader, contextHeader} {
		if w.values[i] != "" {
			h[name] = w.values[i : i+1 : i+1]
		}
	}
	h["Content-Type"] = jsonType
}

// endIfIdle ends a process that gets nothing more and has nothing left to do.
func (in *instance) endIfIdle() {
	in.pool.mu.Lock()
	idle := len(in.active) == 0
	in.pool.mu.Unlock()
	if idle {
		in.stop()
	}
}

// result takes what came of an invocation.
func (in *instance) result(w http.ResponseWriter, r *http.Request, id string, failed bool) {
	v, claimed := in.pool.find(in, id)
	switch {
	case v == nil:
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "no invocation has this id, or it is over")
		return
	case !claimed:
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "the invocation has an answer already")
		return
	}
	switch {
	case failed:
		in.functionError(r, v)
	case streams(r):
		in.stream(r, v)
		in.pool.finish(v)
	default:
		if !in.answer(w, r, v) {
			return
		}
	}
	in.pool.log.report(v, in)
	accept(w)
}

// end settles v once its answer has come whole. The process has room again before
// anybody knows the answer, so that who asks again is not told that there is none.
func (in *instance) end(v *invocation, r Result) bool {
	in.pool.finish(v)
	return v.settle(r)
}

// answer takes an answer as a whole, and reports whether it is to be accepted.
func (in *instance) answer(w http.ResponseWriter, r *http.Request, v *invocation) bool {
	buf := takeBuffer()
	body, err := readAll(*buf, r.Body, r.ContentLength, maxAnswer)
	*buf = body[:0]
	switch {
	case errors.Is(err, errTooLarge):
		giveBuffer(buf)
		in.end(v, Result{Outcome: TooLarge, Error: "Function.ResponseSizeTooLarge", Detail: "the answer has more than 6 MiB"})
		in.pool.log.report(v, in)
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "an answer has at most 6 MiB")
		return false
	case err != nil:
		giveBuffer(buf)
		panic(http.ErrAbortHandler) // the process is ending, or in disorder: its end or its timeout settles it
	}
	if kind := r.Trailer.Get(errorHeader); kind != "" {
		giveBuffer(buf)
		in.end(v, Result{Outcome: Failed, Error: kind, Detail: kind})
		return true
	}
	if !in.end(v, Result{Outcome: Answered, Payload: body, lent: buf}) {
		giveBuffer(buf)
	}
	return true
}

// functionError takes the error that a function reports.
func (in *instance) functionError(r *http.Request, v *invocation) {
	body, err := readAll(nil, r.Body, r.ContentLength, maxError)
	if err != nil {
		body = problem("Unknown", "the error has more than 256 KiB")
	}
	kind := r.Header.Get(errorHeader)
	var said struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(body, &said) == nil && kind == "" {
		kind = said.Type
	}
	in.end(v, Result{Outcome: Failed, Payload: body, Error: kind, Message: said.Message, Detail: brief(kind, said.Message)})
}

// brief is an error in a line for the trail.
func brief(kind, message string) string {
	text := kind
	if message != "" {
		text += ": " + message
	}
	if text == "" {
		text = "the function reported an error"
	}
	return clip(text, 256)
}

func clip(s string, most int) string {
	if len(s) > most {
		return s[:most]
	}
	return s
}

func (in *instance) initError(w http.ResponseWriter, r *http.Request) {
	if in.isReady() {
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "the process has asked for work already")
		return
	}
	body, _ := readAll(nil, r.Body, r.ContentLength, maxError)
	var said struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	_ = json.Unmarshal(body, &said)
	in.mu.Lock()
	in.failure = "it could not start: " + brief(said.Type, said.Message)
	in.mu.Unlock()
	in.pool.log.line(in.id, platform, "INIT_REPORT Status: error Error Type: "+clip(said.Type, 128))
	accept(w)
}

var errTooLarge = errors.New("too large")

// readAll reads a body to its end into b, of at most limit bytes.
func readAll(b []byte, r io.Reader, declared, limit int64) ([]byte, error) {
	if declared > limit {
		return b, errTooLarge
	}
	if need := declared + 1; int64(cap(b)) < need {
		b = make([]byte, 0, need)
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > limit:
			return b, errTooLarge
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, err
		}
	}
}

// Buffers that are much larger than usual are not kept.
const (
	usualBuffer = 4 << 10
	mostBuffer  = 256 << 10
)

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, usualBuffer); return &b }}

// copyBuffers are what streamed answers pass through.
var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

func takeBuffer() *[]byte { return buffers.Get().(*[]byte) }

func giveBuffer(b *[]byte) {
	if cap(*b) <= mostBuffer {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

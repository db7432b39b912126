package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// handlers are what both servers answer with.
type handlers struct {
	gateway Gateway
	pages   Pages
}

// Pages are answers that mean nothing to this package. Who may ask for them is decided
// before, but for Push at the admin listener, which asks for a credential of its own.
type Pages struct {
	Metrics    http.Handler // GET /metrics
	Prometheus http.Handler // /api/v1/: questions, by GET or as a form
	Push       http.Handler // POST /v1/metrics/push
	CloudWatch http.Handler // GET /v1/metrics/cloudwatch: CloudWatch's metrics in PromQL
}

// Where the pages are that take bodies.
const (
	prometheusPath = "/api/v1/"
	pushPath       = "/v1/metrics/push"
)

// queries are the handlers that change nothing.
func (h *handlers) queries() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", h.health)
	mux.HandleFunc("GET /readyz", h.ready)
	mux.Handle("GET /metrics", h.pages.Metrics)
	mux.Handle(prometheusPath, h.pages.Prometheus)
	mux.Handle("POST "+pushPath, h.pages.Push)
	mux.Handle("GET /v1/metrics/cloudwatch", h.pages.CloudWatch)
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, h.gateway.Status()) })
	mux.HandleFunc("GET /v1/routes", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, h.gateway.Routes()) })
	mux.HandleFunc("GET /v1/certificates", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, h.gateway.Certificates())
	})
	mux.HandleFunc("GET /v1/identity/keys", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, h.gateway.IdentityKeys()) })
	mux.HandleFunc("GET /v1/requests", h.recent)
	mux.HandleFunc("GET /v1/requests/{id}", h.explain)
	mux.HandleFunc("/", notFound)
	return mux
}

// all adds what changes the gateway, or reads its files.
func (h *handlers) all() *http.ServeMux {
	mux := h.queries()
	mux.HandleFunc("POST /v1/plan", h.plan)
	mux.HandleFunc("POST /v1/reload", h.reload)
	mux.HandleFunc("POST /v1/logs/reopen", h.reopen)
	mux.HandleFunc("POST /v1/restart", h.restart)
	mux.HandleFunc("POST /v1/take-over", h.takeOver)
	return mux
}

func (h *handlers) health(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, state{"ok"})
}

func (h *handlers) ready(w http.ResponseWriter, _ *http.Request) {
	if err := h.gateway.Ready(); err != nil {
		write(w, http.StatusServiceUnavailable, &Error{Message: err.Error()})
		return
	}
	write(w, http.StatusOK, state{"ready"})
}

type state struct {
	Status string `json:"status"`
}

const (
	defaultRecent = 50
	maxRecent     = 1000
)

func (h *handlers) recent(w http.ResponseWriter, r *http.Request) {
	n := defaultRecent
	if text := r.URL.Query().Get("n"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 || n > maxRecent {
			write(w, http.StatusBadRequest, &Error{Message: "n is a number from 1 to " + strconv.Itoa(maxRecent)})
			return
		}
	}
	write(w, http.StatusOK, h.gateway.Recent(n))
}

func (h *handlers) explain(w http.ResponseWriter, r *http.Request) {
	entry, ok := h.gateway.Explain(r.PathValue("id"))
	if !ok {
		write(w, http.StatusNotFound, &Error{Message: "no request with this id is remembered: the gateway keeps the last few thousand, until it stops"})
		return
	}
	write(w, http.StatusOK, entry)
}

func (h *handlers) plan(w http.ResponseWriter, r *http.Request) {
	changes, err := h.gateway.Plan(r.Context(), r.URL.Query().Get("file"))
	if err != nil {
		fail(w, err)
		return
	}
	write(w, http.StatusOK, changes)
}

func (h *handlers) reload(w http.ResponseWriter, r *http.Request) {
	changes, err := h.gateway.Reload(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	write(w, http.StatusOK, changes)
}

func (h *handlers) reopen(w http.ResponseWriter, _ *http.Request) {
	if err := h.gateway.ReopenLogs(); err != nil {
		fail(w, err)
		return
	}
	write(w, http.StatusOK, state{"reopened"})
}

func notFound(w http.ResponseWriter, r *http.Request) {
	write(w, http.StatusNotFound, &Error{Message: "nothing is served at " + strconv.Quote(r.URL.Path) + " with " + r.Method})
}

// fail sends an error that is the caller's to mend.
func fail(w http.ResponseWriter, err error) {
	answer := &Error{Message: err.Error()}
	var problems Problems
	if errors.As(err, &problems) {
		answer.List = problems.Problems()
	}
	write(w, http.StatusUnprocessableEntity, answer)
}

func write(w http.ResponseWriter, status int, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"message":"the answer cannot be written as JSON"}`)
	}
	body = append(printable(body), '\n')
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// printable escapes what a terminal might obey and JSON leaves as it is: DEL, C1
// controls, bidirectional overrides. Answers hold what clients sent, and are
// printed by the command.
func printable(body []byte) []byte {
	clean := func(r rune) bool { return r < 0x7f || unicode.IsPrint(r) }
	if bytes.IndexFunc(body, func(r rune) bool { return !clean(r) }) < 0 {
		return body
	}
	out := make([]byte, 0, len(body)+64)
	for _, r := range string(body) {
		if clean(r) {
			out = utf8.AppendRune(out, r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			out = fmt.Appendf(out, "\\u%04x", unit)
		}
	}
	return out
}

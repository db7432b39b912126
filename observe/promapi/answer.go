package promapi

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
)

// handler answers one question, whose form has been read.
type handler func(*http.Request) (*result, error)

// document is an answer as Prometheus writes it.
type document struct {
	Status    string   `json:"status"`
	Data      any      `json:"data,omitempty"`
	ErrorType string   `json:"errorType,omitempty"`
	Error     string   `json:"error,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
	Infos     []string `json:"infos,omitempty"`
}

func (a *API) answer(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			a.refuse(w, &problem{http.StatusBadRequest, "bad_data", "error parsing form values: " + err.Error()})
			return
		}
		out, err := h(r)
		if err != nil {
			a.refuse(w, err)
			return
		}
		a.write(w, http.StatusOK, document{Status: "success", Data: out.data, Warnings: out.warnings, Infos: out.infos})
	})
}

func (a *API) refuse(w http.ResponseWriter, err error) {
	p := &problem{http.StatusInternalServerError, "internal", err.Error()}
	errors.As(err, &p)
	a.write(w, p.status, document{Status: "error", ErrorType: p.kind, Error: p.text})
}

func (a *API) write(w http.ResponseWriter, status int, d document) {
	body, err := json.Marshal(d)
	if err != nil {
		a.log.Error("an answer about metrics cannot be written as JSON", slog.Any("error", err))
		status, body = http.StatusInternalServerError, []byte(`{"status":"error","errorType":"internal","error":"the answer cannot be written as JSON"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

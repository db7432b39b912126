package crs

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// Backend answers 200 to everything, and to POST /reflect what it is asked for.
type Backend struct{}

// reflection is what a body sent to /reflect asks for.
type reflection struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Encoded string            `json:"encodedBody"` // in base64
	Log     string            `json:"logMessage"`
}

// fromBackend is a header of all that the Backend answers.
const fromBackend = "X-From-Backend"

// ServeHTTP implements http.Handler.
func (Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set(fromBackend, "yes")
	if r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/reflect") {
		_, _ = io.WriteString(w, "Hello!")
		return
	}
	var to reflection
	if err := json.Unmarshal(body, &to); err != nil {
		http.Error(w, "no JSON: "+err.Error(), http.StatusBadRequest)
		return
	}
	for name, value := range to.Headers {
		w.Header().Set(name, value)
	}
	answer := []byte(to.Body)
	if to.Encoded != "" {
		answer, _ = base64.StdEncoding.DecodeString(to.Encoded)
	}
	if to.Status != 0 {
		w.WriteHeader(to.Status)
	}
	_, _ = w.Write(answer)
}

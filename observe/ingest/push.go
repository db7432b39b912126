package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/observe/store"
)

// MaxJobs is how many jobs may push. Their series count against the store's.
const MaxJobs = 100

// Pushed takes metrics that programs bring by themselves. It is safe for concurrent
// use.
type Pushed struct {
	store *store.Store
	limit atomic.Int64 // series of one job
	token atomic.Pointer[[sha256.Size]byte]

	mu   sync.Mutex // also orders the batches of a job
	jobs map[string]bool
}

// NewPushed returns a Pushed that brings into a store.
func NewPushed(s *store.Store) *Pushed { return &Pushed{store: s, jobs: make(map[string]bool)} }

// Set says how many series a job may have, and by which token one pushes from afar;
// "" for none.
func (p *Pushed) Set(series int, token string) {
	p.limit.Store(int64(series))
	if token == "" {
		p.token.Store(nil)
		return
	}
	sum := sha256.Sum256([]byte(token))
	p.token.Store(&sum)
}

// Trusted answers pushes of who was let in already.
func (p *Pushed) Trusted() http.Handler { return http.HandlerFunc(p.push) }

// Guarded answers pushes that come with the token.
func (p *Pushed) Guarded() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch token := p.token.Load(); {
		case token == nil:
			tell(w, http.StatusForbidden, "metrics are pushed here by a token alone, and there is none: set metrics.push.token, or push over the control socket")
		case !bears(r, token):
			w.Header().Set("WWW-Authenticate", `Bearer realm="gatehouse metrics"`)
			tell(w, http.StatusUnauthorized, "send metrics.push.token as Authorization: Bearer TOKEN")
		default:
			p.push(w, r)
		}
	})
}

func bears(r *http.Request, token *[sha256.Size]byte) bool {
	values := r.Header["Authorization"]
	if len(values) != 1 {
		return false
	}
	scheme, text, _ := strings.Cut(values[0], " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(text)))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(sum[:], token[:]) == 1
}

// answer is what became of a push.
type answer struct {
	Samples  int `json:"samples"`
	Reserved int `json:"reserved,omitempty"` // left out: names of the gateway's own
}

func (p *Pushed) push(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	o := Origin{Job: query.Get("job"), Instance: query.Get("instance")}
	if o.Job == "" || len(o.Job) > maxName || len(o.Instance) > maxName {
		tell(w, http.StatusBadRequest, "say who pushes: ?job=NAME, and &instance=NAME where there are several")
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBytes))
	if err != nil {
		tell(w, http.StatusBadRequest, "the metrics could not be read: "+err.Error())
		return
	}
	out, status, err := p.take(text, contentType(r), o)
	if err != nil {
		tell(w, status, err.Error())
		return
	}
	write(w, http.StatusOK, answer{out.Samples, out.Reserved})
}

// contentType is that of a push: what curl says where nobody said anything is none.
func contentType(r *http.Request) string {
	t := r.Header.Get("Content-Type")
	if strings.HasPrefix(t, "application/x-www-form-urlencoded") {
		return ""
	}
	return t
}

func (p *Pushed) take(text []byte, contentType string, o Origin) (Outcome, int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.jobs[o.Job] && len(p.jobs) >= MaxJobs {
		return Outcome{}, http.StatusTooManyRequests, fmt.Errorf("%d jobs push already, and more may not", MaxJobs)
	}
	b := p.store.Batch(store.Source{Name: "push/" + o.Job, Limit: int(p.limit.Load()), Lasting: true}, time.Now().UnixMilli())
	out, err := Read(text, contentType, o, b)
	if err != nil {
		return out, http.StatusBadRequest, err
	}
	for name, f := range out.Families {
		p.store.Describe(name, f)
	}
	if err := b.Commit(); err != nil {
		if errors.Is(err, store.ErrClosed) {
			return out, http.StatusServiceUnavailable, err
		}
		return out, http.StatusInsufficientStorage, fmt.Errorf("the metrics are in memory alone: %w", err)
	}
	p.jobs[o.Job] = true
	return out, http.StatusOK, nil
}

func tell(w http.ResponseWriter, status int, message string) {
	write(w, status, struct {
		Message string `json:"message"`
	}{message})
}

func write(w http.ResponseWriter, status int, document any) {
	body, _ := json.Marshal(document) // of strings and numbers: it cannot fail
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

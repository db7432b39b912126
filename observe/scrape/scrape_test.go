package scrape

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"gatehouse/observe/store"
)

// services answer by target, as a round trip that takes no network.
type services struct {
	mu      sync.Mutex
	targets map[string]string // what each one shows; "" for an error
	asked   int
}

func (s *services) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	text := s.targets[r.URL.Host]
	if text == "" {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{StatusCode: 200, Status: "200 OK", Header: http.Header{"Content-Type": {"text/plain; version=0.0.4"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func (s *services) set(target, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.targets[target] = text
}

func (s *services) drop(target string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.targets, target)
}

func (s *services) names() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.targets {
		out = append(out, name)
	}
	return out
}

// values are a series' values; "end" for the mark of its end.
func values(t *testing.T, s *store.Store, name, instance string) string {
	t.Helper()
	q, err := s.Queryable(0).Querier(0, math.MaxInt64/4)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	set := q.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", name),
		labels.MustNewMatcher(labels.MatchEqual, "instance", instance), labels.MustNewMatcher(labels.MatchEqual, "job", "orders"))
	var out []string
	for set.Next() {
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			if _, v := it.At(); value.IsStaleNaN(v) {
				out = append(out, "end")
			} else {
				out = append(out, fmt.Sprint(v))
			}
		}
	}
	return strings.Join(out, " ")
}

// Targets come, fail, and go; the job goes on over a reload that leaves it, and ends
// with one that does not.
func TestScrapes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "metrics")
	synctest.Test(t, func(t *testing.T) {
		st := store.New(store.Options{Dir: dir})
		if err := st.Open(); err != nil {
			t.Fatal(err)
		}
		s := &services{targets: map[string]string{"a:1": "# TYPE jobs_total counter\njobs_total 5\n", "b:1": "jobs_total 7\n"}}
		k := New(st, slog.New(slog.DiscardHandler))
		job := Job{Key: "1", Service: "orders", Scheme: "http", Path: "/metrics", Interval: 10 * time.Second, Limit: 100, Client: &http.Client{Transport: s}, Targets: s.names}
		k.Set([]Job{job})
		time.Sleep(time.Second)
		synctest.Wait()
		s.set("a:1", "jobs_total 6\n")
		s.set("b:1", "")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		s.set("b:1", "jobs_total{\n")
		k.Set([]Job{job}) // a reload
		time.Sleep(10 * time.Second)
		synctest.Wait()
		s.drop("b:1")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		asked := s.asked
		for _, tc := range [][3]string{
			{"jobs_total", "a:1", "5 6 6 6"}, {"up", "a:1", "1 1 1 1"}, {"scrape_samples_scraped", "a:1", "1 1 1 1"},
			{"jobs_total", "b:1", "7 end"}, {"up", "b:1", "1 0 0 end"},
		} {
			if got := values(t, st, tc[0], tc[1]); got != tc[2] {
				t.Errorf("%s of %s: %s, not %s", tc[0], tc[1], got, tc[2])
			}
		}
		if asked != 7 {
			t.Errorf("%d fetches", asked)
		}
		k.Set(nil)
		if got := values(t, st, "up", "a:1"); got != "1 1 1 1 end" {
			t.Errorf("up of a: %s", got)
		}
		time.Sleep(time.Minute)
		if s.asked != asked {
			t.Error("it goes on after its end")
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
}

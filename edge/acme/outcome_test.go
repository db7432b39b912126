package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	protocol "github.com/mholt/acmez/v3/acme"
)

func TestPause(t *testing.T) {
	failed := errors.New("failed")
	limited := protocol.Problem{Type: protocol.ProblemTypeRateLimited}
	for _, tc := range []struct {
		failing     int
		err         error
		later, life time.Duration
		want        time.Duration
	}{
		{1, failed, 0, 0, time.Minute},
		{2, failed, 0, 0, 2 * time.Minute},
		{5, failed, 0, 0, 16 * time.Minute},
		{9, failed, 0, 0, 256 * time.Minute},
		{10, failed, 0, 0, 6 * time.Hour},
		{1000, failed, 0, 0, 6 * time.Hour},
		{1, failed, 3 * time.Hour, 0, 3 * time.Hour}, // the CA's wish goes first
		{9, failed, time.Minute, 0, 256 * time.Minute},
		{1, limited, 0, 0, time.Hour},
		{1, limited, 10 * time.Minute, 0, 10 * time.Minute},
		{1000, failed, 0, 90 * 24 * time.Hour, 6 * time.Hour},
		{1000, failed, 0, 24 * time.Hour, 72 * time.Minute}, // short beside the certificate's life
		{1, failed, 0, 10 * time.Second, time.Second},
	} {
		got := pause(tc.failing, tc.err, tc.later, tc.life)
		if got < tc.want || got > tc.want*11/10+time.Second {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}

func TestRenewalOf(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	leaf := &x509.Certificate{NotBefore: from, NotAfter: from.Add(90 * day)}
	for suggested, want := range map[time.Time]time.Time{
		{}:                   from.Add(60 * day),
		from.Add(50 * day):   from.Add(50 * day),
		from.Add(70 * day):   from.Add(70 * day),
		from.Add(88 * day):   from.Add(75 * day), // a mistake of the CA's is no outage
		from.Add(-100 * day): from.Add(-100 * day),
	} {
		if got := renewalOf(leaf, suggested); !got.Equal(want) {
			t.Errorf("suggested %v: %v, want %v", suggested, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "-1": 0, "x": 0, "99999999": 24 * time.Hour, "999999999999999999999": 0,
		"Thu, 01 Jan 2026 01:00:00 GMT": time.Hour, "Wed, 31 Dec 2025 00:00:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// The moment within a window is chosen once; the CA is asked again when it says,
// within reason.
func TestSuggestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		window := func(start time.Time, chosen time.Duration, again time.Duration) (ari protocol.RenewalInfo) {
			ari.SuggestedWindow.Start, ari.SuggestedWindow.End = start, start.Add(time.Hour)
			ari.SelectedTime = start.Add(chosen)
			at := time.Now().Add(again)
			ari.RetryAfter = &at
			return ari
		}
		var s state
		start := time.Now().Add(100 * time.Hour)
		s.take(window(start, 10*time.Minute, 6*time.Hour))
		first := s.ari.SelectedTime
		s.take(window(start, 20*time.Minute, time.Second))
		if !s.ari.SelectedTime.Equal(first) {
			t.Error("another moment of the same window")
		}
		if got := time.Until(s.ask); got != time.Minute {
			t.Errorf("asked again in %v", got)
		}
		s.take(window(start.Add(-50*time.Hour), 20*time.Minute, 1000*time.Hour))
		if s.ari.SelectedTime.Equal(first) || time.Until(s.ask) != 24*time.Hour {
			t.Errorf("%v, asked again in %v", s.ari.SelectedTime, time.Until(s.ask))
		}
		none := window(start, 0, 0)
		none.RetryAfter = nil
		s.take(none)
		if got := time.Until(s.ask); got != 6*time.Hour {
			t.Errorf("without its word, asked again in %v", got)
		}
	})
}

// refusing is a network on which nobody is.
type refusing struct{ asked atomic.Int64 }

func (r *refusing) RoundTrip(*http.Request) (*http.Response, error) {
	r.asked.Add(1)
	return nil, errors.New("nobody there")
}

// A CA that is down for days is asked ever more rarely, for every name; forgetting
// a name ends it at once.
func TestBacksOff(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "acme")
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		network := &refusing{}
		k := NewKeeper(Options{
			Folder: folder, Log: slog.New(slog.NewTextHandler(&locked{w: &log}, nil)),
			Client: func(*x509.CertPool, bool) *http.Client { return &http.Client{Transport: network} },
		})
		defer k.Close(context.Background())
		demand := Demand{Config: &Config{Directory: "https://ca.test/dir", Agree: true, Key: "ecdsa-p256"}, Names: []string{"a.test"}}
		manage(t, k, demand)
		synctest.Wait()
		for range 2 { // the same again changes nothing
			manage(t, k, demand)
		}
		time.Sleep(time.Second)
		var after []int64
		for _, d := range []time.Duration{0, 5 * time.Minute, 55 * time.Minute, 23 * time.Hour, 6 * 24 * time.Hour} {
			time.Sleep(d)
			k.Each(func(s Status) { after = append(after, int64(s.Failures)) })
		}
		// 1, 3, 7, 15, ... minutes and a tenth; then every six hours and a tenth
		for i, bounds := range [][2]int64{{1, 1}, {2, 3}, {5, 6}, {11, 13}, {32, 37}} {
			if after[i] < bounds[0] || after[i] > bounds[1] {
				t.Errorf("failures %v, want %v in place %d", after, bounds, i)
			}
		}
		if n := strings.Count(log.String(), "certificate not obtained"); int64(n) != after[len(after)-1] {
			t.Errorf("%d lines for %d failures", n, after[len(after)-1])
		}
		asked := network.asked.Load()
		manage(t, k, Demand{})
		synctest.Wait()
		time.Sleep(30 * 24 * time.Hour)
		if network.asked.Load() != asked || k.Certificate("a.test") != nil {
			t.Error("a name that was forgotten is attended to")
		}
	})
}

// hanging is a network that never answers.
type hanging struct{ asked, under atomic.Int64 }

func (h *hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	h.asked.Add(1)
	h.under.Add(1)
	defer h.under.Add(-1)
	<-r.Context().Done()
	time.Sleep(time.Second) // what is under way takes a moment to end
	return nil, r.Context().Err()
}

// A pause ends what is under way and waits for it; what follows goes on as before.
func TestPauses(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "acme")
	synctest.Test(t, func(t *testing.T) {
		network := &hanging{}
		k := NewKeeper(Options{
			Folder: folder, Log: slog.New(slog.DiscardHandler),
			Client: func(*x509.CertPool, bool) *http.Client { return &http.Client{Transport: network} },
		})
		defer k.Close(context.Background())
		manage(t, k, Demand{Config: &Config{Directory: "https://ca.test/dir", Agree: true, Key: "ecdsa-p256"}, Names: []string{"a.test"}})
		synctest.Wait()
		if network.under.Load() == 0 {
			t.Fatal("nothing is under way")
		}
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if k.Pause(short) {
			t.Error("a pause did not wait for what was under way")
		}
		if !k.Pause(t.Context()) || network.under.Load() != 0 {
			t.Errorf("%d requests are under way in a pause", network.under.Load())
		}
		before := network.asked.Load()
		time.Sleep(30 * 24 * time.Hour)
		if n := network.asked.Load(); n != before {
			t.Errorf("%d requests in a pause", n-before)
		}
		manage(t, k, Demand{Config: &Config{Directory: "https://ca.test/dir", Agree: true, Key: "ecdsa-p256"}, Names: []string{"a.test"}})
		synctest.Wait()
		if n := network.asked.Load(); n != before {
			t.Errorf("%d requests by a lease in a pause", n-before)
		}
		for range 2 {
			k.Resume()
		}
		synctest.Wait()
		if n := network.under.Load(); n != 1 {
			t.Errorf("%d requests are under way after a pause", n)
		}
	})
}

func manage(t *testing.T, k *Keeper, d Demand) {
	t.Helper()
	l := k.Begin()
	if err := l.Manage(d); err != nil {
		t.Fatal(err)
	}
	l.Commit()
}

// locked is a writer for several goroutines.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

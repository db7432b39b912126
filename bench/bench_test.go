package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHistogramQuantiles(t *testing.T) {
	var h histogram
	for i := range 100_000 {
		h.add(time.Duration(i) * time.Microsecond)
	}
	for _, q := range []float64{0.01, 0.5, 0.99} {
		want := time.Duration(q*100_000) * time.Microsecond
		if got := h.quantile(q); got < want*98/100 || got > want*102/100 {
			t.Errorf("quantile %g is %v, want about %v", q, got, want)
		}
	}
}

func TestBucketsKeepOrder(t *testing.T) {
	last := -1
	for v := uint64(0); v < 1<<20; v += 1 + v/100 {
		bucket := bucketOf(v)
		if bucket < last || valueOf(bucket) > v {
			t.Fatalf("%d fell into bucket %d, which starts at %d, after bucket %d", v, bucket, valueOf(bucket), last)
		}
		last = bucket
	}
}

// TestLoad measures Go's own server, over HTTP/1.1, TLS and HTTP/2.
func TestLoad(t *testing.T) {
	for _, streams := range []int{-2, -1, 0, 5} { // handshakes, plain HTTP, TLS, HTTP/2
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer T" || r.Host != host || r.URL.Path != "/orders/42" {
				w.WriteHeader(http.StatusBadRequest)
			}
			w.Write(smallBody())
		}))
		server.EnableHTTP2 = true
		l := load{connections: 3, paths: []string{"/orders/42"}, tokens: []string{"T"}, body: smallBody()}
		if streams == -1 {
			server.Start()
		} else {
			server.StartTLS()
			l.tls = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
			l.tls.ServerName, l.tls.NextProtos = "example.com", []string{"http/1.1"}
		}
		if streams == -2 {
			l.handshakes, l.tls.CurvePreferences = true, []tls.CurveID{tls.X25519}
		}
		if streams > 0 {
			l.streams, l.tls.NextProtos = streams, []string{"h2"}
		}
		l.address = server.Listener.Addr().String()
		used := func() (usage, error) { return usage{rss: 1}, nil }
		s, err := measure(context.Background(), l, 10*time.Millisecond, time.Second, used)
		if err != nil || s.Requests == 0 || s.P50 <= 0 || s.P99 < s.P50 {
			t.Errorf("streams %d: %+v, %v", streams, s, err)
		}
		server.Close()
	}
}

// TestVerify holds the check before the load against a service that does what
// it should, and one that lets everyone in.
func TestVerify(t *testing.T) {
	b, err := startBackend()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	l := load{address: b.address(), paths: []string{"/orders/42"}}
	if err := verify(context.Background(), scenario{}, l); err != nil {
		t.Error(err)
	}
	if err := verify(context.Background(), scenario{big: true}, l); err == nil {
		t.Error("the small answer passed for the large one")
	}
	l.tokens = []string{strings.Repeat("x", 40)}
	if err := verify(context.Background(), scenario{algorithm: "HS256"}, l); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("an open door passed for a secured route: %v", err)
	}
}

// TestTemplates renders every peer's configuration for every case.
func TestTemplates(t *testing.T) {
	b := &bench{dir: t.TempDir(), backend: &service{at: "127.0.0.1:1"}}
	var err error
	if b.keys, err = newKeyring(b.dir); err != nil {
		t.Fatal(err)
	}
	for _, p := range []peer{gatehousePeer(options{}), nginxPeer(), haproxyPeer(), caddyPeer(options{})} {
		for _, c := range cases() {
			if _, err := b.siteFor(p, c); err != nil {
				t.Errorf("%s, %s: %v", p.name, c.name, err)
			}
		}
	}
}

func TestPathsOfManyRoutes(t *testing.T) {
	c := scenario{routes: routeCount}
	routes := c.routePaths()
	if len(routes) != routeCount || len(slices.Compact(slices.Sorted(slices.Values(routes)))) != routeCount {
		t.Fatalf("%d routes, some of them twice", len(routes))
	}
	for _, path := range c.paths() {
		if !slices.Contains(routes, strings.TrimSuffix(path, "42")) {
			t.Errorf("%s is on no route", path)
		}
	}
}

// TestRatio compares what was measured in the same round alone: a round of
// another moment tells of the machine.
func TestRatio(t *testing.T) {
	at := func(round int, cpu time.Duration) sample { return sample{Round: round, CPUPerRequest: cpu} }
	nginx := entry{Proxy: "nginx", Samples: []sample{at(0, 10), at(1, 20), at(3, 10)}}
	ours := entry{Proxy: "gatehouse", Samples: []sample{at(1, 40), at(2, 900), at(3, 20)}}
	r := caseResult{Columns: []entry{ours, nginx, {Proxy: "caddy"}}}
	for base, want := range map[string]string{"nginx": "2.00", "caddy": "-", "nobody": "-"} {
		if got := r.ratio(ours, base, cpuMicros); got != want {
			t.Errorf("to %s: %s, want %s", base, got, want)
		}
	}
}

func TestHPACKIntegers(t *testing.T) {
	// The examples of RFC 7541, C.1.
	for _, test := range []struct {
		prefix, value int
		want          []byte
	}{{5, 10, []byte{10}}, {5, 1337, []byte{31, 154, 10}}, {8, 42, []byte{42}}} {
		if got := appendInteger(nil, 0, test.prefix, test.value); !bytes.Equal(got, test.want) {
			t.Errorf("%d with %d bits: % x", test.value, test.prefix, got)
		}
	}
	if rest := afterInteger([]byte{0x3f, 0xe1, 0x1f, 0x88}); !bytes.Equal(rest, []byte{0x88}) {
		t.Errorf("after a table size update: % x", rest)
	}
}

func TestUsageOfTree(t *testing.T) {
	u, err := usageOfTree(1)
	if err != nil || u.rss <= 0 {
		t.Errorf("process 1 and all below: %+v, %v", u, err)
	}
	if _, err := usageOfTree(1 << 30); err == nil {
		t.Error("a process that cannot be has usage")
	}
	if share, err := shareOfTree(os.Getpid()); err != nil || share < 1<<20 {
		t.Errorf("our own memory: %d, %v", share, err)
	}
}

// TestLogWritten holds that a log which stands still is noticed, and one whose
// lines wait in a buffer for a moment is not.
func TestLogWritten(t *testing.T) {
	name := filepath.Join(t.TempDir(), "access.log")
	time.AfterFunc(50*time.Millisecond, func() { os.WriteFile(name, []byte("line\n"), 0o600) })
	if err := logWritten(context.Background(), name, 0); err != nil {
		t.Error(err)
	}
	if err := logWritten(context.Background(), name, sizeOf(name)); err == nil {
		t.Error("a log without a new line counts as written")
	}
}

package crs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"gatehouse"
	"gatehouse/waf/record"
)

// configuration is that of the suite's own runs: paranoia 4, counted alone, and
// the limits that its cases are written for. Every oddity of paths is allowed, so
// that the rules see them. Hosts are those of the cases.
const configuration = `
listen: [{address: "127.0.0.1:0"}]
data: ./data
admin: {address: off}
log: {access: off}
limits: {shutdown: 10s}
waf:
  suite:
    inspect-body: {limit: 1MiB, beyond: block}
    log: {file: waf.log}
    rules:
      - name: crs
        core-rule-set:
          paranoia: 4
          mode: count
          methods: [GET, HEAD, POST, OPTIONS]
          arguments: {suspicious: 255, name: 100, value: 400, total: 64000, file: 64100, files: 65535}
          utf8: true
          responses: {limit: 1MiB}
          budget: 1m
apis:
  suite:
    domains: %s
    authorize: none
    waf: suite
    allow-path: [empty-segment, dot-segment, backslash, semicolon, encoded-slash, encoded-semicolon, encoded-percent]
    routes:
      - {match: "ANY /{proxy*}", target: "%s"}
`

// gateway is one in this process, and a service behind it.
type gateway struct {
	address string
	dir     string
	stop    func()
}

func start(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{dir: t.TempDir()}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // where master keys are made
	service := httptest.NewServer(Backend{})
	t.Cleanup(service.Close)
	file := filepath.Join(g.dir, "gatehouse.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, configuration, hosts, service.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	load := func() (*gatehouse.Config, error) { return gatehouse.Load(file) }
	cfg, err := load()
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	running, err := gatehouse.New(cfg, gatehouse.Options{Logger: logger, Stdout: io.Discard, Version: "test", Load: load})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- running.Run(ctx) }()
	g.address = running.Addr("127.0.0.1:0").String()
	g.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(g.stop)
	return g
}

// matched returns what matched, by request, once the gateway has stopped.
func (g *gateway) matched(t *testing.T) map[string][]record.RuleMatch {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(g.dir, "waf.log"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := matches(data)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// hosts are the domains that the suite's cases ask for.
const hosts = `[localhost, "*.com", "*.io", "*.de", "*.example", nextjs.example, "127.0.0.1", "1.2.3.4"]`

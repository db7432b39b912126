package gatehouse

import (
	"bytes"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
)

// A reload makes hold what belongs to no route, too, and says what should not
// stay.
func TestReloadAdopts(t *testing.T) {
	const head = "listen: [{address: \"127.0.0.1:0\"}]\nadmin: {address: off}\n"
	const open = "apis: {a: {authorize: none, routes: [{match: GET /x, target: mock}]}}\n"
	data := "data: " + strconv.Quote(t.TempDir()) + "\n"
	text := data + head + open
	var said bytes.Buffer
	level := new(slog.LevelVar)
	load := func() (*Config, error) { return LoadText("gatehouse.yaml", []byte(text)) }
	cfg, err := load()
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(cfg, Options{Logger: slog.New(slog.NewTextHandler(&said, nil)), Level: level, Stdout: &bytes.Buffer{}, Load: load})
	if err != nil {
		t.Fatal(err)
	}
	text = data + head + "limits: {buffers: 7MiB}\nlog: {level: debug}\n" +
		"apis: {a: {authorize: c, authorizers: {c: {jwt: {issuer: i, audience: a, jwks: development}}}, routes: [{match: GET /x, target: mock}]}}\n"
	if err := g.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := g.keepers.bodies.Limit(); got != 7<<20 {
		t.Errorf("limits.buffers is %d", got)
	}
	if level.Level() != slog.LevelDebug {
		t.Errorf("log.level is %v", level.Level())
	}
	if n := strings.Count(said.String(), "development key"); n != 1 {
		t.Errorf("%d warnings of the development key: %s", n, &said)
	}
	text = data + head + "limits: {buffers: 9MiB}\nadmin: {address: \"nowhere.invalid:1\"}\n" + open
	if err := g.Reload(t.Context()); err == nil {
		t.Error("a broken configuration is taken")
	}
	if got := g.keepers.bodies.Limit(); got != 7<<20 {
		t.Errorf("after a reload that failed limits.buffers is %d", got)
	}
	end(t, g)
}

// A reload that panics, whatever it had prepared, ends as one that fails.
func TestReloadPanics(t *testing.T) {
	b := boot(t, `
listen: [{address: "127.0.0.1:0"}]
admin: {address: off}
apis: {a: {authorize: none, routes: [{match: GET /x, target: mock}]}}
`)
	now := b.current.Load()
	b.options.Load = func() (*Config, error) {
		cfg := *now.config
		cfg.Services = nil
		cfg.APIs = map[string]*API{"a": nil}
		return &cfg, nil
	}
	for range 2 { // a second one finds no lock held
		if err := b.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "nil pointer") {
			t.Errorf("got %v", err)
		}
	}
	b.options.Load = func() (*Config, error) { return nil, errors.New("no") }
	if err := b.Reload(t.Context()); err == nil || b.current.Load() != now {
		t.Errorf("got %v, or another snapshot", err)
	}
}

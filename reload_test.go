package gatehouse

import (
	"bytes"
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

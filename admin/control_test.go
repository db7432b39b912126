package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/config"
)

func control(t *testing.T, data string, g Gateway) *ControlSocket {
	t.Helper()
	c, err := OpenControl(data, quiet())
	if err != nil {
		t.Fatal(err)
	}
	c.Serve(g, pages(), nil)
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func TestCalls(t *testing.T) {
	ctx := context.Background()
	data := filepath.Join(t.TempDir(), "data")
	g := &fake{}
	control(t, data, g)
	c := Dial(data)
	var raw json.RawMessage
	if err := c.Routes(ctx, &raw); err != nil || string(raw) != `["GET /orders/{id}"]` {
		t.Errorf("routes: %s %v", raw, err)
	}
	var status struct{ Generation int }
	if err := c.Status(ctx, &status); err != nil || status.Generation != 3 {
		t.Errorf("status: %+v %v", status, err)
	}
	var entry map[string]string
	if err := c.Explain(ctx, "known", &entry); err != nil || entry["requestId"] != "known" {
		t.Errorf("explain: %v %v", entry, err)
	}
	var failed *Error
	if err := c.Explain(ctx, "../reload?x", &entry); !errors.As(err, &failed) || failed.Status != 404 || !strings.Contains(failed.Message, "no request with this id") {
		t.Errorf("explain: %v", err)
	}
	var n int
	if err := c.Recent(ctx, 9, &n); err != nil || n != 9 {
		t.Errorf("recent: %d %v", n, err)
	}
	var text string
	if err := c.Plan(ctx, "/a b&c.yaml", &text); err != nil || text != "nothing of /a b&c.yaml" {
		t.Errorf("plan: %q %v", text, err)
	}
	if err := c.Reload(ctx, &text); err != nil || text != "done" || g.reloads.Load() != 1 {
		t.Errorf("reload: %q %v", text, err)
	}
	if err := c.ReopenLogs(ctx); err != nil || g.reopened.Load() != 1 {
		t.Errorf("reopen: %v", err)
	}
	if err := c.Ready(ctx); err != nil {
		t.Errorf("ready: %v", err)
	}
	g.ready = errors.New("draining")
	if err := c.Ready(ctx); err == nil || err.Error() != "draining" {
		t.Errorf("ready: %v", err)
	}
}

func TestProblems(t *testing.T) {
	data := t.TempDir()
	want := config.Problem{Pos: config.Pos{File: "g.yaml", Line: 3, Column: 4}, Message: "no such service", Hint: "did you mean \"orders\"?"}
	control(t, data, &fake{broken: problems{want}})
	err := Dial(data).Reload(context.Background(), nil)
	var got Problems
	if !errors.As(err, &got) || len(got.Problems()) != 1 || got.Problems()[0] != want || err.Error() != "the configuration is broken" {
		t.Errorf("%v", err)
	}
}

func TestNobodyRuns(t *testing.T) {
	ctx := context.Background()
	data := t.TempDir()
	check := func(what string) {
		t.Helper()
		var none *NotRunning
		if err := Dial(data).Reload(ctx, nil); !errors.As(err, &none) || !strings.Contains(err.Error(), "gatehouse run") {
			t.Errorf("%s: %v", what, err)
		}
	}
	check("no socket")
	socket, err := net.Listen("unix", filepath.Join(data, SocketName))
	if err != nil {
		t.Fatal(err)
	}
	socket.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = socket.Close()
	check("a dead process's socket")
	c := control(t, data, &fake{})
	if err := Dial(data).Ready(ctx); err != nil {
		t.Errorf("after it was replaced: %v", err)
	}
	_ = c.Close(ctx)
	check("after the end")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := Dial(data).Ready(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestAlreadyRunning(t *testing.T) {
	data := t.TempDir()
	first := control(t, data, &fake{})
	if _, err := OpenControl(data, quiet()); !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), data) {
		t.Errorf("%v", err)
	}
	if err := Dial(data).Ready(context.Background()); err != nil {
		t.Errorf("the first one suffers: %v", err)
	}
	_ = first.Close(context.Background())
	control(t, data, &fake{})
}

func TestPermissions(t *testing.T) {
	data := filepath.Join(t.TempDir(), "a", "data")
	c := control(t, data, &fake{})
	for path, want := range map[string]os.FileMode{data: os.ModeDir | 0o700, c.Path(): os.ModeSocket | 0o600} {
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
	entries, _ := os.ReadDir(data)
	if len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
}

// Who connects before there is anything to answer for waits for it.
func TestConnectsEarly(t *testing.T) {
	data := t.TempDir()
	c, err := OpenControl(data, quiet())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", c.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: gatehouse\r\n\r\n"))
	c.Serve(&fake{}, pages(), nil)
	answer := make([]byte, 12)
	if _, err := io.ReadFull(conn, answer); string(answer) != "HTTP/1.1 200" {
		t.Errorf("%q %v", answer, err)
	}
	_ = c.Close(context.Background())
	unserved, err := OpenControl(data, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if err := unserved.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// A socket or file that is not ours is left alone.
func TestLeavesOthersAlone(t *testing.T) {
	data := t.TempDir()
	path := filepath.Join(data, SocketName)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenControl(data, quiet()); err == nil {
		t.Error("a file was replaced")
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Error("the file is gone")
	}
	_ = os.Remove(path)
	c := control(t, data, &fake{})
	_ = os.Remove(path)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = c.Close(context.Background())
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Error("the end of the socket took another file with it")
	}
}

package function

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gatehouse/config"
)

// built is the folder with the function of testdata/behave, made once.
var built = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "behave")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(folder, "bootstrap"), "./testdata/behave")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%v\n%s", err, out)
	}
	return folder, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if folder, err := built(); err == nil {
		_ = os.RemoveAll(folder)
	}
	os.Exit(code)
}

func behave(t testing.TB) string {
	t.Helper()
	folder, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func load(text string) (*Config, error) {
	var all struct {
		config.At
		Functions map[string]*Config `yaml:"functions"`
	}
	if _, err := config.LoadBytes("gatehouse.yaml", []byte(text), &all, config.Options{}); err != nil {
		return nil, err
	}
	for _, c := range all.Functions {
		return c, nil
	}
	return nil, nil
}

// rig is a Keeper with a function.
type rig struct {
	*Keeper
	once     sync.Once
	launcher *plain
	data     string
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{launcher: &plain{}, data: t.TempDir()}
	r.Keeper = NewKeeper(Options{Launch: func() (Launcher, error) { return r.launcher, nil }, Data: r.data, Processes: 100, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	t.Cleanup(r.end)
	return r
}

// end closes the Keeper, once.
func (r *rig) end() { r.once.Do(r.Close) }

// function puts a function in force, in place of the one before.
func (r *rig) function(t testing.TB, options string) *Function {
	t.Helper()
	c, err := load("functions: {quote: {" + options + "}}")
	if err != nil {
		t.Fatal(err)
	}
	l := r.Begin()
	f, err := l.Function(c, Place{"123456789012", "local"})
	if err != nil {
		l.Abort()
		t.Fatal(err)
	}
	l.Commit()
	return f
}

func provided(t testing.TB, options string) string {
	return "runtime: provided, code: " + behave(t) + ", queue: 20s, timeout: 20s, " + options
}

var ids struct {
	sync.Mutex
	n int
}

func call(f *Function, event string) Result {
	ids.Lock()
	ids.n++
	id := fmt.Sprintf("id-%d", ids.n)
	ids.Unlock()
	return f.Invoke(Invoke{ID: id, Event: []byte(event), Trace: "Root=1-2-3"})
}

func text(t testing.TB, r Result) string {
	t.Helper()
	if r.Outcome != Answered || r.Stream != nil {
		t.Fatalf("%v: %s: %s", r.Outcome, r.Detail, r.Payload)
	}
	defer r.Free()
	return string(r.Payload)
}

type who struct {
	ID, ARN, Trace, Name, Env string
	Served, Pid, Memory       int
	Left                      int64
}

// ask asks who answers. The process has asked for more when it returns, or has ended.
func ask(t testing.TB, f *Function, variable string) (w who, r Result) {
	t.Helper()
	defer func() {
		for poolOf(f).awaited() > 0 {
			time.Sleep(time.Millisecond)
		}
	}()
	r = call(f, `{"do":"who","text":"`+variable+`"}`)
	if err := json.Unmarshal([]byte(text(t, r)), &w); err != nil {
		t.Fatal(err)
	}
	return w, r
}

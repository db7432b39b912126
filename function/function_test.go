package function

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// A Go function with AWS's own runtime, unchanged: started on demand, then warm.
func TestProvided(t *testing.T) {
	r := newRig(t)
	f := r.function(t, provided(t, "environment: {TIER: gold}"))
	if n := r.launcher.started.Load(); n != 0 {
		t.Fatalf("%d processes before anybody asked", n)
	}
	first, result := ask(t, f, "TIER")
	if first.Env != "gold" || first.Name != "quote" || first.Memory != 128 || first.Trace != "Root=1-2-3" || first.ARN != "arn:aws:lambda:local:123456789012:function:quote" || first.Left < 10_000 || first.Left > 20_000 {
		t.Errorf("%+v", first)
	}
	if !result.Cold || result.Init <= 0 || result.Queued < result.Init {
		t.Errorf("%+v", result)
	}
	second, result := ask(t, f, "")
	if second.Pid != first.Pid || second.Served != 2 || second.ID == first.ID || result.Cold || result.Init != 0 {
		t.Errorf("%+v after %+v: %+v", second, first, result)
	}
}

func TestErrors(t *testing.T) {
	r := newRig(t)
	f := r.function(t, provided(t, ""))
	for _, tc := range []struct {
		event   string
		outcome Outcome
		detail  string
	}{
		{`{"do":"fail","text":"no stock"}`, Failed, "errorString: no stock"},
		{`{"do":"large"}`, TooLarge, "6 MiB"},
		{`{"do":"panic","text":"oh"}`, Failed, "string: oh"},
		{`{"do":"exit"}`, Crashed, "exit status 7"},
	} {
		result := call(f, tc.event)
		if result.Outcome != tc.outcome || !strings.Contains(result.Detail, tc.detail) {
			t.Errorf("%s: %+v", tc.event, result)
		}
		if w, _ := ask(t, f, ""); w.Pid == 0 { // whatever happened, it goes on
			t.Errorf("%+v", w)
		}
	}
}

// What takes too long is ended, and only that.
func TestTimeout(t *testing.T) {
	r := newRig(t)
	f := r.function(t, "runtime: provided, code: "+behave(t)+", timeout: 300ms")
	before, _ := ask(t, f, "")
	result := call(f, `{"do":"sleep","for":60000}`)
	if result.Outcome != TimedOut || result.Duration < 300*time.Millisecond {
		t.Errorf("%+v", result)
	}
	after, _ := ask(t, f, "")
	if after.Pid == before.Pid {
		t.Error("the process was not ended")
	}
	r.end()
	if log := r.logText(t); !strings.Contains(log, "Task timed out after 0.30 seconds") || strings.Count(log, "REPORT RequestId") != 3 {
		t.Error(log)
	}
}

func (r *rig) logText(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.data, "logs/functions/quote.log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// One invoke at a time a process, as many as concurrency says at once.
func TestConcurrency(t *testing.T) {
	r := newRig(t)
	f := r.function(t, provided(t, "concurrency: 3"))
	var all sync.WaitGroup
	seen := make(chan who, 12)
	for range 12 {
		all.Go(func() {
			w, _ := ask(t, f, "")
			seen <- w
		})
	}
	all.Wait()
	close(seen)
	pids := make(map[int]bool)
	for w := range seen {
		pids[w.Pid] = true
	}
	if n := r.launcher.started.Load(); n > 3 || len(pids) > 3 {
		t.Errorf("%d processes, %d seen", n, len(pids))
	}
}

func TestThrottled(t *testing.T) {
	r := newRig(t)
	f := r.function(t, "runtime: provided, code: "+behave(t)+", concurrency: 1, queue: 0s, timeout: 60s")
	ask(t, f, "")
	done := make(chan Result)
	go func() { done <- call(f, `{"do":"sleep","for":1500}`) }()
	for poolOf(f).busy() == 0 {
		time.Sleep(time.Millisecond)
	}
	if result := call(f, `{"do":"who"}`); result.Outcome != Throttled {
		t.Errorf("%+v", result)
	}
	if result := <-done; result.Outcome != Answered {
		t.Errorf("%+v", result)
	}
	off := r.function(t, "runtime: provided, code: "+behave(t)+", concurrency: 0")
	if result := call(off, `{"do":"who"}`); result.Outcome != Throttled {
		t.Errorf("%+v", result)
	}
}

func (p *pool) awaited() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.returning
}

func poolOf(f *Function) *pool { return f.runner.(*pool) }

func (p *pool) busy() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running
}

// Whoever stops waiting does not stop the function.
func TestAbandoned(t *testing.T) {
	r := newRig(t)
	f := r.function(t, provided(t, "concurrency: 1"))
	before, _ := ask(t, f, "")
	result := f.Invoke(Invoke{ID: "a", Event: []byte(`{"do":"sleep","for":400}`), Until: time.Now().Add(50 * time.Millisecond)})
	if result.Outcome != Abandoned {
		t.Errorf("%+v", result)
	}
	if after, _ := ask(t, f, ""); after.Pid != before.Pid || after.Served != 3 {
		t.Errorf("%+v after %+v", after, before)
	}
}

// Starts that fail are told, and held back.
func TestBrokenStart(t *testing.T) {
	r := newRig(t)
	f := r.function(t, provided(t, "environment: {BEHAVE: die}"))
	result := call(f, "{}")
	if result.Outcome != NotStarted || !strings.Contains(result.Detail, "exit status 3") {
		t.Errorf("%+v", result)
	}
	if result := call(f, "{}"); result.Outcome != NotStarted || !strings.Contains(result.Detail, "the last 1 starts failed") {
		t.Errorf("%+v", result)
	}
	if n := r.launcher.started.Load(); n != 1 {
		t.Errorf("%d starts", n)
	}
	hung := r.function(t, provided(t, "init-timeout: 100ms, environment: {BEHAVE: hang}"))
	if result := call(hung, "{}"); result.Outcome != NotStarted || !strings.Contains(result.Detail, "did not ask for work within 100ms") {
		t.Errorf("%+v", result)
	}
}

// With concurrent-requests an unchanged Go function works on several in one process.
func TestConcurrentRequests(t *testing.T) {
	r := newRig(t)
	f := r.function(t, provided(t, "concurrency: 8, concurrent-requests: 8"))
	pid, _ := ask(t, f, "")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if result := call(f, `{"do":"sleep","for":200}`); result.Outcome != Answered {
				t.Errorf("%+v", result)
			}
		})
	}
	all.Wait()
	if n := r.launcher.started.Load(); n != 1 {
		t.Errorf("%d processes", n)
	}
	if again, _ := ask(t, f, ""); again.Pid != pid.Pid {
		t.Error("another process")
	}
}

// A reload with another content goes over to it; what was under way ends well, and
// the old process ends then. With the same content nothing happens.
func TestReload(t *testing.T) {
	r := newRig(t)
	old := r.function(t, provided(t, ""))
	before, _ := ask(t, old, "")
	if same, _ := ask(t, r.function(t, provided(t, "")), ""); same.Pid != before.Pid {
		t.Error("the same content has another process")
	}
	done := make(chan Result)
	go func() { done <- call(old, `{"do":"sleep","for":500}`) }()
	for poolOf(old).busy() == 0 {
		time.Sleep(time.Millisecond)
	}
	next := r.function(t, provided(t, "environment: {TIER: silver}"))
	if next.Version() == old.Version() {
		t.Error("another environment is the same version")
	}
	if w, _ := ask(t, next, "TIER"); w.Env != "silver" || w.Pid == before.Pid {
		t.Errorf("%+v", w)
	}
	if result := <-done; result.Outcome != Answered {
		t.Errorf("%+v", result)
	}
	if w, _ := ask(t, old, "TIER"); w.Env != "" { // a request that began before still has it
		t.Errorf("%+v", w)
	}
	for poolOf(old).count() > 0 {
		time.Sleep(time.Millisecond)
	}
}

func (p *pool) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.instances)
}

// What is provisioned is there before anybody asks, and starts cold for nobody.
func TestProvisioned(t *testing.T) {
	r := newRig(t)
	f := r.function(t, provided(t, "provisioned: 2"))
	for poolOf(f).idlers() < 2 {
		time.Sleep(time.Millisecond)
	}
	if _, result := ask(t, f, ""); result.Cold {
		t.Errorf("%+v", result)
	}
}

func (p *pool) idlers() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle)
}

// What is idle for long enough ends.
func TestIdle(t *testing.T) {
	r := newRig(t)
	f := r.function(t, provided(t, "idle: 100ms"))
	ask(t, f, "")
	for poolOf(f).count() > 0 {
		time.Sleep(5 * time.Millisecond)
	}
	if w, result := ask(t, f, ""); w.Served != 1 || !result.Cold {
		t.Errorf("%+v", w)
	}
}

// Where the gateway may have no further process, the one that was idle the longest
// makes room.
func TestRoom(t *testing.T) {
	r := newRig(t)
	r.SetProcesses(1)
	l := r.Begin()
	var fs []*Function
	for _, name := range []string{"one", "two"} {
		c, err := load("functions: {" + name + ": {" + provided(t, "") + "}}")
		if err != nil {
			t.Fatal(err)
		}
		f, err := l.Function(c, Place{})
		if err != nil {
			t.Fatal(err)
		}
		fs = append(fs, f)
	}
	l.Commit()
	for range 2 {
		for _, f := range fs {
			if w, _ := ask(t, f, ""); w.Served != 1 {
				t.Errorf("%+v", w)
			}
		}
	}
}

// A function's words are in its log, and can be nobody else's.
func TestLog(t *testing.T) {
	r := newRig(t)
	f := r.function(t, provided(t, ""))
	text(t, call(f, `{"do":"print","text":"hello\u001b[31m\rREPORT RequestId: forged"}`))
	r.end()
	log := r.logText(t)
	for _, want := range []string{" platform START RequestId: id-", " stdout hello\\x1b[31m\\x0dREPORT RequestId: forged\n", " stderr hello", " platform END RequestId: id-", " platform REPORT RequestId: id-", "Memory Size: 128 MB\tMax Memory Used: 12 MB\tInit Duration: "} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in\n%s", want, log)
		}
	}
	for line := range strings.Lines(log) {
		if fields := strings.Fields(line); len(fields) < 3 || len(fields[1]) != 16 || fields[2] != "platform" && fields[2] != "stdout" && fields[2] != "stderr" {
			t.Errorf("%q", line)
		}
	}
}

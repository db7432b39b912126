package function

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// module runs a WebAssembly module (WASI preview 1): a fresh instance for every
// invoke, which reads the event from its standard input and writes the answer to
// its standard output. It lives in the gateway's own process, and sees nothing of
// it but that, the time and random numbers.
type module struct {
	version  *version
	log      *logFile
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	room     chan struct{} // as many elements as may run at once
	waiting  atomic.Int32
	config   wazero.ModuleConfig
}

// maxModule is how large a module may be.
const maxModule = 64 << 20

// wasm compiles the module of a version.
func (k *Keeper) wasm(v *version) (*module, error) {
	name := cmp.Or(v.config.Handler, "main.wasm")
	path := filepath.Join(v.code, name)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > maxModule {
		return nil, fmt.Errorf("the code holds no %s of at most 64 MiB", name)
	}
	code, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	pages := uint32(int64(v.config.Memory) >> 16)
	m := &module{version: v, log: k.logOf(&v.config), room: make(chan struct{}, v.config.Concurrency)}
	m.runtime = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithMemoryLimitPages(pages).WithCloseOnContextDone(true).WithCompilationCache(k.compiled))
	if _, err = wasi_snapshot_preview1.Instantiate(ctx, m.runtime); err == nil {
		m.compiled, err = m.runtime.CompileModule(ctx, code)
	}
	if err != nil {
		_ = m.runtime.Close(ctx)
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m.config = m.configure(name)
	return m, nil
}

// configure says what all instances have in common.
func (m *module) configure(name string) wazero.ModuleConfig {
	c := &m.version.config
	out := wazero.NewModuleConfig().WithName("").WithArgs(name).WithSysWalltime().WithSysNanotime().WithRandSource(rand.Reader).
		WithEnv("AWS_LAMBDA_FUNCTION_NAME", c.Name).WithEnv("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST").
		WithEnv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", strconv.FormatInt(int64(c.Memory)>>20, 10)).WithEnv("AWS_REGION", m.version.region)
	for _, variable := range slices.Sorted(maps.Keys(c.Environment)) {
		out = out.WithEnv(variable, c.Environment[variable].Reveal())
	}
	return out
}

// Retire implements keeper.Entry. What runs may finish; the memory of the code is
// the garbage collector's.
func (m *module) Retire() {}

func (m *module) of() *version { return m.version }

func (m *module) stats() Stats {
	return Stats{Running: len(m.room), Idle: cap(m.room) - len(m.room), Waiting: int(m.waiting.Load())}
}

// invoke runs an instance.
func (m *module) invoke(i Invoke) Result {
	arrived := time.Now()
	if refused := m.enter(); refused != nil {
		return *refused
	}
	defer func() { <-m.room }()
	begun := time.Now()
	expires := begun.Add(m.version.config.Timeout.D())
	abandoned := !i.Until.IsZero() && i.Until.Before(expires)
	if abandoned {
		expires = i.Until
	}
	ctx, cancel := context.WithDeadline(context.Background(), expires)
	defer cancel()
	instance := newInstanceID()
	m.log.begins(begun, instance, i.ID, m.version)
	buf := takeBuffer()
	out := &bounded{b: (*buf)[:0]}
	peak, err := m.run(ctx, &i, out, instance)
	*buf = out.b[:0]
	r := m.resultOf(err, out, abandoned)
	r.Instance, r.Queued, r.Duration = instance, begun.Sub(arrived), time.Since(begun)
	if r.Outcome == Answered {
		r.Payload, r.lent = out.b, buf
	} else {
		giveBuffer(buf)
	}
	m.log.ends(time.Now(), instance, i.ID, m.version, r.Duration, peak, 0)
	return r
}

// enter waits for room.
func (m *module) enter() *Result {
	select {
	case m.room <- struct{}{}:
		return nil
	default:
	}
	c := &m.version.config
	if c.Concurrency == 0 || c.Queue == 0 || m.waiting.Add(1) > maxWaiting {
		return &Result{Outcome: Throttled, Detail: fmt.Sprintf("all %d are busy", c.Concurrency)}
	}
	defer m.waiting.Add(-1)
	timer := time.NewTimer(c.Queue.D())
	defer timer.Stop()
	select {
	case m.room <- struct{}{}:
		return nil
	case <-timer.C:
		return &Result{Outcome: Throttled, Detail: fmt.Sprintf("all %d were busy for %v", c.Concurrency, c.Queue)}
	}
}

// run runs one instance to its end, and returns the memory that it had.
func (m *module) run(ctx context.Context, i *Invoke, out *bounded, instance string) (peak int64, err error) {
	words := &lineWriter{log: m.log, instance: instance}
	defer words.end()
	config := m.config.WithStdin(bytes.NewReader(i.Event)).WithStdout(out).WithStderr(words).
		WithEnv("_X_AMZN_TRACE_ID", i.Trace).WithEnv("AWS_REQUEST_ID", i.ID).
		WithNanosleep(func(ns int64) { sleep(ctx, time.Duration(ns)) }).WithStartFunctions()
	mod, err := m.runtime.InstantiateModule(ctx, m.compiled, config)
	if err != nil {
		return 0, err
	}
	defer mod.Close(context.Background())
	start := mod.ExportedFunction("_start")
	if start == nil {
		return 0, errors.New("the module is no command: it exports no _start")
	}
	_, err = start.Call(ctx)
	if memory := mod.Memory(); memory != nil {
		peak = int64(memory.Size())
	}
	return peak, err
}

// sleep sleeps, but not beyond the end of an invoke.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// resultOf says what the end of an instance means.
func (m *module) resultOf(err error, out *bounded, abandoned bool) Result {
	var exit *sys.ExitError
	switch {
	case out.full:
		return Result{Outcome: TooLarge, Error: "Function.ResponseSizeTooLarge", Detail: "the answer has more than 6 MiB"}
	case err == nil, errors.As(err, &exit) && exit.ExitCode() == 0:
		return Result{Outcome: Answered}
	case exit != nil && exit.ExitCode() == sys.ExitCodeDeadlineExceeded && abandoned:
		return Result{Outcome: Abandoned, Detail: "the route's time was over before the function's"}
	case exit != nil && exit.ExitCode() == sys.ExitCodeDeadlineExceeded:
		return Result{Outcome: TimedOut, Detail: "the function took longer than its timeout of " + m.version.config.Timeout.String()}
	case exit != nil:
		return Result{Outcome: Failed, Error: "Runtime.ExitError", Detail: "exit status " + strconv.FormatUint(uint64(exit.ExitCode()), 10)}
	}
	return Result{Outcome: Crashed, Detail: clip(err.Error(), 256)}
}

// bounded takes an answer, of at most maxAnswer bytes.
type bounded struct {
	b    []byte
	full bool
}

func (w *bounded) Write(p []byte) (int, error) {
	if w.full = w.full || len(w.b)+len(p) > maxAnswer; w.full {
		return 0, io.ErrShortWrite
	}
	w.b = append(w.b, p...)
	return len(p), nil
}

// lineWriter writes what a module says line by line into the log.
type lineWriter struct {
	log      *logFile
	instance string
	line     []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		at := bytes.IndexByte(p, '\n')
		if at < 0 && len(w.line)+len(p) < maxLine {
			w.line = append(w.line, p...)
			break
		}
		end, next := at, at+1
		if at < 0 || at > maxLine {
			end = min(len(p), maxLine)
			next = end
		}
		w.log.line(w.instance, "stderr", string(append(w.line, p[:end]...)))
		w.line, p = w.line[:0], p[next:]
	}
	return n, nil
}

func (w *lineWriter) end() {
	if len(w.line) > 0 {
		w.log.line(w.instance, "stderr", string(w.line))
	}
}

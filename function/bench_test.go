package function

import (
	"io"
	"log/slog"
	"slices"
	"syscall"
	"testing"
	"time"

	"gatehouse/function/sandbox"
)

// isolatedRig is a rig whose processes are kept apart as in the product.
func isolatedRig(b *testing.B) *rig {
	b.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s, level, err := sandbox.New(sandbox.Config{Minimum: "namespaces"}, log)
	if err != nil {
		b.Skipf("functions cannot be kept apart here: %v", err)
	}
	b.Logf("kept apart: %v", level)
	r := &rig{launcher: &plain{}, data: b.TempDir()}
	r.Keeper = NewKeeper(Options{Launch: func() (Launcher, error) { return Isolated(s), nil }, Data: r.data, Processes: 100, Log: log})
	b.Cleanup(func() {
		r.end()
		_ = s.Close()
	})
	return r
}

// cpu returns the time that this process has used, without the functions'.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure reports the median and the gateway's CPU of what do does.
func measure(b *testing.B, do func() Result) {
	b.Helper()
	var all []time.Duration
	b.ReportAllocs()
	before := cpu()
	for b.Loop() {
		began := time.Now()
		result := do()
		all = append(all, time.Since(began))
		if result.Outcome != Answered {
			b.Fatalf("%+v", result)
		}
		result.Free()
	}
	used := cpu() - before
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(used.Microseconds())/float64(len(all)), "cpu-us/op")
}

// BenchmarkWarm is an invoke of a Go function whose process is there: what is
// above the function's own work, which is nothing here.
func BenchmarkWarm(b *testing.B) {
	r := isolatedRig(b)
	f := r.function(b, provided(b, "concurrency: 1"))
	ask(b, f, "")
	measure(b, func() Result { return call(f, `{"do":"x"}`) })
}

// BenchmarkCold is an invoke for which a process is started.
func BenchmarkCold(b *testing.B) {
	for name, options := range map[string]string{
		"go":     provided(b, "concurrency: 1"),
		"node":   "runtime: nodejs, code: ../examples/functions/node, handler: index.handler, queue: 20s",
		"python": "runtime: python, code: ../examples/functions/python, handler: app.handler, queue: 20s",
	} {
		b.Run(name, func(b *testing.B) {
			f := isolatedRig(b).function(b, options)
			event := `{"do":"x","path":"/","requestContext":{"http":{"method":"GET"}},"multiValueQueryStringParameters":null}`
			p := poolOf(f)
			measure(b, func() Result {
				for p.count() > 0 { // the one before
					p.mu.Lock()
					ends := p.free(func(*instance) bool { return true })
					p.mu.Unlock()
					for _, in := range ends {
						in.stop()
					}
					time.Sleep(time.Millisecond)
				}
				return call(f, event)
			})
		})
	}
}

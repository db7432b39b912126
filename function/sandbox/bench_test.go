//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// BenchmarkStart is a start of a small Go program, its first words and its end,
// beside the same by fork and exec alone. cpu-us counts the children too.
func BenchmarkStart(b *testing.B) {
	s, level := open(b)
	b.Run("sandbox="+level.Grade.String(), func(b *testing.B) {
		sp := spec(b, "hello")
		timed(b, func() {
			p, err := s.Start(context.Background(), sp)
			if err != nil {
				b.Fatal(err)
			}
			o := collect(p)
			p.Kill()
			o.wait.Wait()
		})
	})
	b.Run("exec", func(b *testing.B) {
		path := filepath.Join(program(b), "bootstrap")
		timed(b, func() {
			if out, err := exec.Command(path, "hello").Output(); err != nil || string(out) != "hello\n" {
				b.Fatal(err, out)
			}
		})
	})
}

func timed(b *testing.B, do func()) {
	before := used()
	for b.Loop() {
		do()
	}
	b.ReportMetric(float64((used()-before).Microseconds())/float64(b.N), "cpu-us/op")
}

func used() time.Duration {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		_ = syscall.Getrusage(who, &u)
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}

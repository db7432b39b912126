//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// BenchmarkStart is a start of a small Go program, its words and its end, beside
// the same by fork and exec alone. cpu-us counts the children too.
func BenchmarkStart(b *testing.B) {
	s, level := open(b)
	for _, rest := range []bool{true, false} {
		name := "sandbox=" + level.Grade.String() + ",at-once"
		if rest {
			name = "sandbox=" + level.Grade.String() + ",rested" // as functions are started that nobody has asked for in a while
		}
		b.Run(name, func(b *testing.B) {
			sp := spec(b, "hello")
			run(b, s, sp)
			timed(b, func() {
				if rest {
					b.StopTimer()
					s.Rest()
					b.StartTimer()
				}
				if said, _ := run(b, s, sp); said != "hello" {
					b.Fatal(said)
				}
			})
		})
	}
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
	for range b.N {
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

package observe

import (
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"gatehouse/observe/accesslog"
)

// BenchmarkRequest is what a request costs in all, the goroutine that writes
// the log included: cpu-ns/op is the process's processor time.
func BenchmarkRequest(b *testing.B) {
	_, o, route := observer(b, LogConfig{Access: Destination{Path: filepath.Join(b.TempDir(), "access.log")}})
	x, r := finished(b)
	b.ReportAllocs()
	before := processorTime()
	n := 0
	for b.Loop() {
		seen := o.Begin(x, r)
		seen.Route = route
		o.Done(x, seen)
		if n++; n%16 == 0 {
			runtime.Gosched() // as a server does between requests
		}
	}
	b.ReportMetric(float64(processorTime()-before)/float64(b.N), "cpu-ns/op")
}

func processorTime() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

func BenchmarkDone(b *testing.B) {
	_, o, route := observer(b, LogConfig{Access: Destination{Path: "/dev/null"}})
	x, _ := finished(b)
	b.ReportAllocs()
	for b.Loop() {
		o.Done(x, Seen{Route: route, userAgent: "curl/8.14.1"})
	}
}

func BenchmarkDoneParallel(b *testing.B) {
	_, o, route := observer(b, LogConfig{Access: Destination{Path: "/dev/null"}})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		x, _ := finished(b)
		for pb.Next() {
			o.Done(x, Seen{Route: route, userAgent: "curl/8.14.1"})
		}
	})
}

func BenchmarkDoneToDisk(b *testing.B) {
	_, o, route := observer(b, LogConfig{Access: Destination{Path: filepath.Join(b.TempDir(), "access.log")}})
	x, _ := finished(b)
	b.ReportAllocs()
	for b.Loop() {
		o.Done(x, Seen{Route: route, userAgent: "curl/8.14.1"})
	}
}

func BenchmarkDoneFormat(b *testing.B) {
	_, o, route := observer(b, LogConfig{Access: Destination{Path: "/dev/null"}, Format: `$context.identity.sourceIp - $context.identity.caller [$context.requestTime] "$context.httpMethod $context.path $context.protocol" $context.status $context.responseLength $context.requestId`})
	x, _ := finished(b)
	b.ReportAllocs()
	for b.Loop() {
		o.Done(x, Seen{Route: route, userAgent: "curl/8.14.1"})
	}
}

func BenchmarkDoneWithoutLog(b *testing.B) {
	_, o, route := observer(b, LogConfig{Access: Destination{Path: "off"}})
	x, _ := finished(b)
	b.ReportAllocs()
	for b.Loop() {
		o.Done(x, Seen{Route: route, userAgent: "curl/8.14.1"})
	}
}

func BenchmarkBegin(b *testing.B) {
	_, o, _ := observer(b, LogConfig{Access: Destination{Path: "off"}})
	x, r := finished(b)
	b.ReportAllocs()
	for b.Loop() {
		o.Begin(x, r)
	}
}

func BenchmarkParts(b *testing.B) {
	k, o, route := observer(b, LogConfig{Access: Destination{Path: "off"}})
	x, _ := finished(b)
	b.Run("line", func(b *testing.B) {
		rec := &accesslog.Record{Exchange: x, UserAgent: "curl/8.14.1", Latency: time.Millisecond}
		var line []byte
		for b.Loop() {
			line = o.format.Append(line[:0], rec)
		}
		b.ReportMetric(float64(len(line)), "bytes")
	})
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			route.Count(1, x, time.Millisecond)
		}
	})
	b.Run("note", func(b *testing.B) {
		for b.Loop() {
			k.recent.Note(x, "curl/8.14.1", time.Millisecond)
		}
	})
}

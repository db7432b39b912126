package main

import (
	"context"
	"math"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

func TestScheduleKeepsItsRate(t *testing.T) {
	const rate, count = 20_000, 200_000
	s := newSchedule(rate, 1)
	var last time.Duration
	var sum, squares float64
	for range count {
		due := s.due()
		gap := float64(due - last)
		if gap < 0 {
			t.Fatalf("%v is due after %v", due, last)
		}
		sum, squares, last = sum+gap, squares+gap*gap, due
		s.advance()
	}
	mean := sum / count
	if want := float64(time.Second) / rate; math.Abs(mean/want-1) > 0.02 {
		t.Errorf("the mean gap is %.0f ns, want %.0f", mean, want)
	}
	// Gaps of independent arrivals spread as much as they are long.
	if spread := math.Sqrt(squares/count - mean*mean); math.Abs(spread/mean-1) > 0.03 {
		t.Errorf("the gaps' deviation is %.0f ns of a mean of %.0f", spread, mean)
	}
}

func TestScheduleIsTheSameForEveryone(t *testing.T) {
	a, b, other := newSchedule(1000, 7), newSchedule(1000, 7), newSchedule(1000, 8)
	differ := false
	for range 100 {
		if a.due() != b.due() {
			t.Fatalf("%v and %v", a.due(), b.due())
		}
		differ = differ || a.due() != other.due()
		a.advance()
		b.advance()
		other.advance()
	}
	if !differ {
		t.Error("another seed gives the same times")
	}
}

func nothingUsed() (usage, error) { return usage{rss: 1}, nil }

// TestPacedLoad holds that a paced load comes at its rate.
func TestPacedLoad(t *testing.T) {
	b, err := startBackend()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	l := load{address: b.address(), connections: 8, paths: []string{"/orders/42"}, body: smallBody(), rate: 1000, seed: 3}
	s, err := measure(context.Background(), l, 50*time.Millisecond, 500*time.Millisecond, nothingUsed)
	if err != nil {
		t.Fatal(err)
	}
	if s.PerSecond < 500 || s.PerSecond > 1500 || s.Unanswered > 0 || s.Rate != 1000 {
		t.Errorf("at 1000 a second: %+v", s)
	}
}

// TestPacedLoadOmitsNothing stalls a service for most of the measurement: a
// client that only counts what it sent would see one slow request on each
// connection, and the rest fast.
func TestPacedLoadOmitsNothing(t *testing.T) {
	b, err := startBackend()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	const stall, length = 300 * time.Millisecond, 500 * time.Millisecond
	l := load{address: stalling(t, b.address(), 100, stall), connections: 2,
		paths: []string{"/orders/42"}, body: smallBody(), rate: 1000, seed: 1}
	s, err := measure(context.Background(), l, 0, length, nothingUsed)
	if err != nil {
		t.Fatal(err)
	}
	if s.P50 < stall/10 || s.P99 < stall*8/10 {
		t.Errorf("a stall of %v in %v left a median of %v and a p99 of %v", stall, length, s.P50, s.P99)
	}
	if s.LateP99 > stall*9/10 {
		t.Errorf("the service's stall counts as our own lateness: %v", s.LateP99)
	}
}

// TestPacedLoadCountsTheUnanswered takes a service that answers nothing after
// the first few requests.
func TestPacedLoadCountsTheUnanswered(t *testing.T) {
	b, err := startBackend()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	l := load{address: stalling(t, b.address(), 100, time.Hour), connections: 2,
		paths: []string{"/orders/42"}, body: smallBody(), rate: 1000, seed: 1}
	s, err := measure(context.Background(), l, 0, 400*time.Millisecond, nothingUsed)
	if err != nil {
		t.Fatal(err)
	}
	if s.Unanswered < 200 || s.P99 < grace {
		t.Errorf("%d unanswered, p99 %v", s.Unanswered, s.P99)
	}
}

// stalling is a proxy that passes bytes on, but after so many answers it
// passes none back for a while.
func stalling(t *testing.T, backend string, answers int64, stall time.Duration) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); listener.Close() })
	ended := make(chan struct{})
	var passed atomic.Int64
	wait := func() {
		switch n := passed.Add(1); {
		case n < answers:
		case n == answers:
			time.AfterFunc(stall, func() { close(ended) })
			fallthrough
		default:
			select {
			case <-ended:
			case <-over.Done():
			}
		}
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", backend)
			if err != nil {
				client.Close()
				continue
			}
			go pipe(server, client, nil)
			go pipe(client, server, wait)
		}
	}()
	return listener.Addr().String()
}

// pipe copies from one connection to another, and waits before it passes on.
func pipe(to, from net.Conn, wait func()) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if wait != nil {
			wait()
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// load is what the clients do: so many connections, on each of which the next
// request goes out when the last one's answer is in, unless it has a rate.
type load struct {
	address     string
	tls         *tls.Config // nil for plain HTTP
	connections int
	streams     int // above 0: HTTP/2 with so many requests in flight on each connection
	paths       []string
	tokens      []string // used in turn; none for open routes
	lines       []string // further header lines of requests, used in turn
	body        []byte   // of every answer
	order       bool     // requests are orders that a browser posts
	handshakes  bool     // a connection carries one request
	rate        float64  // requests a second in all, answered or not; 0 for a closed loop
	seed        uint64   // of the times at which they come
	requests    [][]byte // those of HTTP/1.1, made by prepare
}

// crowded reports whether one thread drives all connections.
func (l *load) crowded() bool { return l.tls == nil }

// The phases of a measurement; what is answered outside phaseMeasure does not
// count.
const (
	phaseWarm int32 = iota
	phaseMeasure
	phaseStop
)

// worker is one connection's client.
type worker struct {
	load  load
	index int
	phase *atomic.Int32

	answers, failures uint64
	unanswered        uint64 // requests of a paced load that were due and never answered
	latency           histogram
	late              histogram // how late requests of a paced load went out, by our own fault
	lastError         error
}

// sample is one measurement of one proxy.
type sample struct {
	Round         int           `json:"round"`
	Requests      uint64        `json:"requests"`
	Errors        uint64        `json:"errors"`
	PerSecond     float64       `json:"requests_per_second"`
	CPUPerRequest time.Duration `json:"cpu_per_request_ns"`
	Busy          float64       `json:"busy"`   // share of its core that the proxy used
	Others        float64       `json:"others"` // share of it that others used
	Load          float64       `json:"load"`   // share of theirs that clients and backend used
	Rate          float64       `json:"rate,omitempty"`
	Unanswered    uint64        `json:"unanswered,omitempty"`
	LateP99       time.Duration `json:"late_p99_ns,omitempty"`
	P50           time.Duration `json:"p50_ns"`
	P99           time.Duration `json:"p99_ns"`
	RSS           int64         `json:"rss_bytes"`
	Start         time.Duration `json:"start_ns,omitempty"`
	Held          int64         `json:"held_bytes,omitempty"` // memory that idle connections have added
}

// measure puts the load on, lets it settle, and measures for a while.
func measure(ctx context.Context, l load, settle, length time.Duration, used func() (usage, error)) (sample, error) {
	l.prepare()
	var phase atomic.Int32
	var wg sync.WaitGroup
	workers := make([]*worker, l.connections)
	threads := 1
	if l.crowded() {
		// With one to spare the scheduler leaves the crowd's thread its place
		// while that waits.
		workers, threads = workers[:1], 2
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
	for i := range workers {
		workers[i] = &worker{load: l, index: i, phase: &phase}
		wg.Go(workers[i].run)
	}
	defer wg.Wait()
	defer phase.Store(phaseStop)

	sleep(ctx, settle)
	before, err := used()
	if err != nil {
		return sample{}, err
	}
	began := time.Now()
	phase.Store(phaseMeasure)
	sleep(ctx, length)
	phase.Store(phaseStop)
	took := time.Since(began)
	after, err := used()
	if err != nil {
		return sample{}, err
	}
	wg.Wait()
	s, err := summarise(workers, before, after, took)
	s.Rate = l.rate
	return s, err
}

func summarise(workers []*worker, before, after usage, took time.Duration) (sample, error) {
	var all worker
	for _, w := range workers {
		all.answers += w.answers
		all.failures += w.failures
		all.unanswered += w.unanswered
		all.latency.merge(&w.latency)
		all.late.merge(&w.late)
		if w.lastError != nil {
			all.lastError = w.lastError
		}
	}
	if all.answers == 0 {
		return sample{}, errors.Join(errors.New("no request was answered"), all.lastError)
	}
	cpu := after.cpu - before.cpu
	s := sample{
		Requests: all.answers, Errors: all.failures,
		PerSecond:     float64(all.answers) / took.Seconds(),
		CPUPerRequest: cpu / time.Duration(all.answers),
		Busy:          cpu.Seconds() / took.Seconds(),
		Others:        max(0, (after.core-before.core-cpu).Seconds()/took.Seconds()),
		Load:          (after.load - before.load).Seconds() / took.Seconds(),
		Unanswered:    all.unanswered,
		LateP99:       all.late.quantile(0.99),
		P50:           all.latency.quantile(0.50),
		P99:           all.latency.quantile(0.99),
		RSS:           after.rss,
	}
	if all.failures > 0 {
		return s, fmt.Errorf("%d requests failed, the last: %w", all.failures, all.lastError)
	}
	return s, nil
}

// run keeps a connection busy until the measurement ends; a broken one is
// counted and opened again, a hundred times at most.
func (w *worker) run() {
	if w.load.crowded() {
		c := crowd{w: w}
		if err := c.run(); err != nil {
			w.failures++
			w.lastError = err
		}
		return
	}
	for range 100 {
		err := w.connection()
		if w.phase.Load() == phaseStop {
			return
		}
		w.failures++
		w.lastError = err
		time.Sleep(20 * time.Millisecond)
	}
}

func (w *worker) connection() error {
	if w.load.handshakes {
		return w.reconnect()
	}
	conn, err := w.dial(w.index)
	if err != nil {
		return err
	}
	defer conn.Close()
	if w.load.streams > 0 {
		return newStreams(w, conn).run()
	}
	return w.keepAlive(conn)
}

// dial opens the connection with a number.
func (w *worker) dial(connection int) (net.Conn, error) {
	conn, err := dialFrom(connection, w.load.address)
	if err != nil || w.load.tls == nil {
		return conn, err
	}
	conn.SetDeadline(time.Now().Add(silence))
	secure := tls.Client(conn, w.load.tls)
	if err := secure.Handshake(); err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return secure, nil
}

// answered counts a good answer to a request sent at that time.
func (w *worker) answered(sent, now time.Time) {
	if w.phase.Load() != phaseMeasure {
		return
	}
	w.answers++
	w.latency.add(now.Sub(sent))
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

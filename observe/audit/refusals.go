package audit

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	gatherFor = 10 * time.Second // how long refusals are counted before they are written
	maxGroups = 24               // lines that are written of them at most
)

// Refusals writes down whom authentication refused, as counts: a flood of bad
// credentials costs a few lines in ten seconds. It is safe for concurrent use.
type Refusals struct {
	log  *Log
	warn *slog.Logger

	mu     sync.Mutex
	groups map[Group]int
	others int
	paused bool
	ending chan struct{}
	ended  chan struct{}
}

// Group is what refusals have in common that are counted together.
type Group struct {
	API, Stage string
	Rule       string // the authorizer
	Reason     string
	Client     string // address; IPv6 by /64
}

// NewRefusals begins to write to a log, which it closes in the end; to one that is
// closed once Resume has opened it.
func NewRefusals(log *Log, warn *slog.Logger) *Refusals {
	r := &Refusals{log: log, warn: warn, paused: log.closed(), groups: make(map[Group]int), ending: make(chan struct{}), ended: make(chan struct{})}
	go r.run()
	return r
}

// Note counts one refusal.
func (r *Refusals) Note(g Group) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.groups[g]; !known && len(r.groups) >= maxGroups {
		r.others++
		return
	}
	r.groups[g]++
}

func (r *Refusals) run() {
	defer close(r.ended)
	ticker := time.NewTicker(gatherFor)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.flush()
		case <-r.ending:
			r.flush()
			return
		}
	}
}

// flush writes what was counted. What cannot be written is lost but for a line in
// the gateway's own log: it must not grow in memory.
func (r *Refusals) flush() {
	r.mu.Lock()
	if r.paused {
		r.mu.Unlock()
		return
	}
	groups, others := r.groups, r.others
	r.groups, r.others = make(map[Group]int), 0
	r.mu.Unlock()
	var records []Record
	for g, n := range groups {
		records = append(records, Record{Act: "authentication", Outcome: Refused, Count: n, Detail: map[string]string{
			"api": g.API, "stage": g.Stage, "rule": g.Rule, "reason": g.Reason, "client": g.Client,
		}})
	}
	slices.SortFunc(records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Detail["client"], b.Detail["client"]), cmp.Compare(a.Detail["rule"], b.Detail["rule"]))
	})
	if others > 0 {
		records = append(records, Record{Act: "authentication", Outcome: Refused, Count: others, Detail: map[string]string{"client": "others"}})
	}
	if len(records) == 0 {
		return
	}
	if err := r.log.Append(records...); err != nil {
		r.warn.Error("refused authentications could not be written down", slog.Any("error", err))
	}
}

// Pause writes what was counted and closes the log, which another process is to
// write. What is counted from then on is written once it is open again.
func (r *Refusals) Pause() error {
	r.flush()
	r.mu.Lock()
	r.paused = true
	r.mu.Unlock()
	return r.log.Close()
}

// Resume opens the log again.
func (r *Refusals) Resume() error {
	if err := r.log.Open(); err != nil {
		return err
	}
	r.mu.Lock()
	r.paused = false
	r.mu.Unlock()
	return nil
}

// Close writes what was counted and closes the log.
func (r *Refusals) Close() error {
	close(r.ending)
	<-r.ended
	return r.log.Close()
}

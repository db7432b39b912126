package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// paceShare is how much of nginx's highest rate everyone gets in the paced
// case.
const paceShare = 0.7

// direct is the row of the backend without a proxy: what clients and backend
// themselves add to every latency.
const direct = "no proxy"

// runPaced measures every proxy at the same rate: what the command line says,
// or a share of what nginx takes at most, found anew in every round.
func (b *bench) runPaced(ctx context.Context, c scenario) caseResult {
	floor := &contender{entry: &entry{Proxy: direct}, used: b.loadUsage}
	var err error
	if floor.load, err = b.loadFor(c, site{Address: b.backend.address()}); err != nil {
		floor.note(err)
	}
	result := b.contest(ctx, c, func(round int, running []*contender) {
		rate, err := b.paceFor(ctx, running)
		if err != nil {
			for _, r := range running {
				r.note(err)
			}
			return
		}
		for _, r := range append(running, floor) {
			at := *r
			at.load.rate, at.load.seed = rate, uint64(round)
			b.round(ctx, round, &at)
		}
	})
	result.Columns = append(result.Columns, *floor.entry)
	return result
}

// paceFor returns the rate of a round.
func (b *bench) paceFor(ctx context.Context, running []*contender) (float64, error) {
	if b.options.rate > 0 {
		return b.options.rate, nil
	}
	for _, r := range running {
		if r.Proxy != "nginx" {
			continue
		}
		s, err := measure(ctx, r.load, settle, b.options.length()/2, r.used)
		if err != nil {
			return 0, fmt.Errorf("nginx's highest rate: %w", err)
		}
		fmt.Fprintf(os.Stderr, "bench:   nginx takes %.0f requests/s at most\n", s.PerSecond)
		return s.PerSecond * paceShare, nil
	}
	return 0, errors.New("the rate is a share of nginx's: measure it too, or say a -rate")
}

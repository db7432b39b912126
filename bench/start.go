package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// rest is how long a proxy is left alone before its memory is read.
const rest = 2 * time.Second

// runStarts measures how long each proxy takes from its start to its first
// answer, and what memory it holds afterwards.
func (b *bench) runStarts(ctx context.Context, c scenario) caseResult {
	result := caseResult{Case: c.name, Title: c.title, Most: c.most}
	entries := make([]entry, len(b.peers))
	for round := range b.options.rounds {
		for i, p := range b.peers {
			if ctx.Err() != nil {
				break
			}
			entries[i].Proxy = p.name
			s, err := b.startOnce(ctx, p, c)
			if err != nil {
				entries[i].note(err)
				continue
			}
			s.Round = round
			entries[i].Samples = append(entries[i].Samples, s)
			fmt.Fprintf(os.Stderr, "bench:   round %d: %-12s %6.1f ms %6.1f MiB\n",
				round+1, p.name, float64(s.Start)/1e6, float64(s.RSS)/(1<<20))
		}
	}
	result.Columns = entries
	return result
}

func (b *bench) startOnce(ctx context.Context, p peer, c scenario) (sample, error) {
	s, err := b.siteFor(p, c)
	if err != nil {
		return sample{}, err
	}
	defer b.discard(s)
	l, err := b.loadFor(c, s)
	if err != nil {
		return sample{}, err
	}
	began := time.Now()
	process, err := launch(b.options, s.Dir, "", p.env(s), append([]string{p.program}, p.argv(s)...))
	if err != nil {
		return sample{}, err
	}
	defer process.stop()
	if err := process.waitAccepting(ctx, s.Address); err != nil {
		return sample{}, err
	}
	if err := verify(ctx, c, l); err != nil {
		return sample{}, err
	}
	took := time.Since(began)
	sleep(ctx, rest)
	u, err := process.usage()
	return sample{Requests: 1, Start: took, RSS: u.rss}, err
}

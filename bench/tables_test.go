package main

import (
	"strings"
	"testing"
	"time"
)

// TestMarkdown prints cases of every kind: each table's rows have as many
// cells as its head.
func TestMarkdown(t *testing.T) {
	results := []caseResult{
		{Case: "quiet", Title: "Quiet", Most: 1.1, Columns: []entry{
			{Proxy: "gatehouse", Samples: []sample{{CPUPerRequest: 22 * time.Microsecond}}},
			{Proxy: "nginx", Samples: []sample{{CPUPerRequest: 20 * time.Microsecond}}},
			{Proxy: bareNginx, Samples: []sample{{CPUPerRequest: 11 * time.Microsecond}}},
			{Proxy: "caddy", Note: "broken\nat length"},
		}},
		{Case: "paced", Title: "Paced", Most: 1.5, Columns: []entry{
			{Proxy: "gatehouse", Samples: []sample{{Rate: 10, P99: 3 * time.Millisecond}}},
			{Proxy: "nginx", Samples: []sample{{Rate: 10, P99: 2 * time.Millisecond}}},
			{Proxy: direct, Samples: []sample{{Rate: 10, P99: time.Millisecond}}},
		}},
		{Case: "idle", Title: "Idle", Most: 2, Columns: []entry{
			{Proxy: "gatehouse", Samples: []sample{{Held: 64 << 10, Requests: 2}}},
			{Proxy: "nginx", Samples: []sample{{Held: 32 << 10, Requests: 2}}},
		}},
		{Case: "start", Title: "Start", Columns: []entry{{Proxy: "gatehouse", Samples: []sample{{Start: time.Second}}}}},
	}
	text := markdown(environment{Rounds: 1, Command: command([]string{"-rounds", "1"})}, results)
	for _, want := range []string{
		`make bench BENCH="-rounds 1"`,
		"| Quiet | CPU us/request | 22.0 | 20.0 | - | failed | 1.10 (1.10, 1.10) | 1.1 |",
		"| Paced | p99, ms | 3.00 | 2.00 | - | - | 1.50 (1.50, 1.50) | 1.5 |",
		"| Idle | memory, KiB/connection | 32.0 | 16.0 | - | - | 2.00 (2.00, 2.00) | 2 |",
		"| Start | start, ms | 1000 | - | - | - | - | - |",
		"\ncaddy: broken\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing from\n%s", want, text)
		}
	}
	cells := 0
	for line := range strings.Lines(text) {
		switch n := strings.Count(line, "|"); {
		case n == 0:
			cells = 0
		case cells == 0:
			cells = n
		case n != cells:
			t.Errorf("%d cells instead of %d: %s", n-1, cells-1, line)
		}
	}
}

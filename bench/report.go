package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// environment says where and with what a run was made.
type environment struct {
	Date    string            `json:"date"`
	Machine string            `json:"machine"`
	Rounds  int               `json:"rounds"`
	Seconds float64           `json:"seconds"`
	Proxies map[string]string `json:"proxies"`
}

func describeRun(o options, peers []peer) environment {
	e := environment{
		Date:   time.Now().UTC().Format("2006-01-02 15:04 UTC"),
		Rounds: o.rounds, Seconds: o.seconds, Proxies: map[string]string{},
		Machine: fmt.Sprintf("%s, Linux %s, %s", processor(), kernel(), runtime.GOARCH),
	}
	for _, p := range peers {
		e.Proxies[p.name] = p.versionLine()
	}
	return e
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

func kernel() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(name.Release[:])
}

func encodeJSON(e environment, results []caseResult) ([]byte, error) {
	return json.MarshalIndent(struct {
		Environment environment  `json:"environment"`
		Cases       []caseResult `json:"cases"`
	}{e, results}, "", "  ")
}

// markdown prints the whole run.
func markdown(e environment, results []caseResult) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks of %s\n\n%s. Medians of %d rounds of %g s; ratios are medians of each round's own.\n\n",
		e.Date, e.Machine, e.Rounds, e.Seconds)
	for _, name := range []string{"gatehouse", "nginx", "haproxy", "caddy"} {
		if version, ok := e.Proxies[name]; ok {
			fmt.Fprintf(&b, "- %s: %s\n", name, version)
		}
	}
	for _, r := range results {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n", r.Case, r.Title)
		if r.isStart() {
			startTable(&b, r)
		} else {
			loadTable(&b, r)
		}
		for _, e := range r.Columns {
			if e.Note != "" {
				fmt.Fprintf(&b, "\n%s: %s\n", e.Proxy, firstLine(e.Note))
			}
		}
	}
	return b.String()
}

func (r caseResult) isStart() bool {
	return slices.ContainsFunc(r.Columns, func(e entry) bool { return len(e.Samples) > 0 && e.Samples[0].Start > 0 })
}

func loadTable(b *strings.Builder, r caseResult) {
	fmt.Fprintln(b, "| proxy | log | CPU us/request | to nginx | to bare nginx | requests/s | busy | others | p50 ms | p99 ms | errors | RSS MiB |")
	fmt.Fprintln(b, "|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, e := range r.Columns {
		if len(e.Samples) == 0 {
			fmt.Fprintf(b, "| %s | failed | | | | | | | | | | |\n", e.Proxy)
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %.1f | %s | %s | %.0f | %.0f %% | %.0f %% | %.2f | %.2f | %d | %.1f |\n",
			e.Proxy, yesNo(e.Logs), e.median(cpuMicros), r.ratio(e, "nginx"), r.ratio(e, bareNginx),
			e.median(func(s sample) float64 { return s.PerSecond }),
			e.median(func(s sample) float64 { return s.Busy * 100 }),
			e.median(func(s sample) float64 { return s.Others * 100 }),
			e.median(func(s sample) float64 { return float64(s.P50) / 1e6 }),
			e.median(func(s sample) float64 { return float64(s.P99) / 1e6 }),
			e.errors(), e.median(rssMiB))
	}
}

func startTable(b *strings.Builder, r caseResult) {
	fmt.Fprintln(b, "| proxy | start ms | RSS MiB at rest |")
	fmt.Fprintln(b, "|---|---|---|")
	for _, e := range r.Columns {
		if len(e.Samples) == 0 {
			fmt.Fprintf(b, "| %s | failed | |\n", e.Proxy)
			continue
		}
		fmt.Fprintf(b, "| %s | %.1f | %.1f |\n", e.Proxy,
			e.median(func(s sample) float64 { return float64(s.Start) / 1e6 }), e.median(rssMiB))
	}
}

// ratio returns the median, over the rounds, of a proxy's CPU time to another
// one's in the same round; rounds that one of them failed in do not count.
func (r caseResult) ratio(e entry, base string) string {
	i := slices.IndexFunc(r.Columns, func(other entry) bool { return other.Proxy == base })
	if i < 0 {
		return "-"
	}
	var ratios []float64
	for _, s := range e.Samples {
		for _, b := range r.Columns[i].Samples {
			if b.Round == s.Round {
				ratios = append(ratios, cpuMicros(s)/cpuMicros(b))
			}
		}
	}
	if len(ratios) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", median(ratios))
}

func (e entry) median(of func(sample) float64) float64 {
	var values []float64
	for _, s := range e.Samples {
		values = append(values, of(s))
	}
	return median(values)
}

func (e entry) errors() uint64 {
	var sum uint64
	for _, s := range e.Samples {
		sum += s.Errors
	}
	return sum
}

func cpuMicros(s sample) float64 { return float64(s.CPUPerRequest) / 1000 }

func rssMiB(s sample) float64 { return float64(s.RSS) / (1 << 20) }

func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

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
	Command string            `json:"command"`
	Rounds  int               `json:"rounds"`
	Seconds float64           `json:"seconds"`
	Proxies map[string]string `json:"proxies"`
}

func describeRun(o options, peers []peer) environment {
	e := environment{
		Date:   time.Now().UTC().Format("2006-01-02 15:04 UTC"),
		Rounds: o.rounds, Seconds: o.seconds, Proxies: map[string]string{},
		Command: command(os.Args[1:]),
		Machine: fmt.Sprintf("%s, Linux %s, %s", processor(), kernel(), runtime.GOARCH),
	}
	for _, p := range peers {
		e.Proxies[p.name] = p.versionLine()
	}
	return e
}

// command is how the same is measured again.
func command(flags []string) string {
	if len(flags) == 0 {
		return "make bench"
	}
	return fmt.Sprintf("make bench BENCH=%q", strings.Join(flags, " "))
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
	fmt.Fprintf(&b, "# Measured %s\n\n%s. Medians of %d interleaved rounds of %g s; ratios are medians of each round's own.\n\n    %s\n\n",
		e.Date, e.Machine, e.Rounds, e.Seconds, e.Command)
	for _, name := range []string{"gatehouse", "nginx", "haproxy", "caddy"} {
		if version, ok := e.Proxies[name]; ok {
			fmt.Fprintf(&b, "- %s: %s\n", name, version)
		}
	}
	fmt.Fprintln(&b)
	summaryTable(&b, results)
	for _, r := range results {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n", r.Case, r.Title)
		caseTable(&b, r)
		for _, e := range r.Columns {
			if e.Note != "" {
				fmt.Fprintf(&b, "\n%s: %s\n", e.Proxy, firstLine(e.Note))
			}
		}
	}
	return b.String()
}

// ratio returns the median of a proxy's ratios to another one.
func (r caseResult) ratio(e entry, base string, of func(sample) float64) string {
	ratios := r.ratios(e, base, of)
	if len(ratios) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", median(ratios))
}

// ratios compares a proxy's figure to another one's in the same round; rounds
// that one of them failed in do not count.
func (r caseResult) ratios(e entry, base string, of func(sample) float64) []float64 {
	other := r.entry(base)
	if other == nil {
		return nil
	}
	var ratios []float64
	for _, s := range e.Samples {
		for _, b := range other.Samples {
			if b.Round == s.Round && of(b) > 0 {
				ratios = append(ratios, of(s)/of(b))
			}
		}
	}
	return ratios
}

// added is the median, over the rounds, of the CPU time that a request costs
// above another row's in the same round, in microseconds.
func (r caseResult) added(e entry, base string) string {
	other := r.entry(base)
	var more []float64
	for _, s := range e.Samples {
		for _, b := range other.Samples {
			if b.Round == s.Round {
				more = append(more, cpuMicros(s)-cpuMicros(b))
			}
		}
	}
	if len(more) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", median(more))
}

func (e entry) median(of func(sample) float64) float64 {
	var values []float64
	for _, s := range e.Samples {
		values = append(values, of(s))
	}
	return median(values)
}

func (e entry) sum(of func(sample) uint64) uint64 {
	var sum uint64
	for _, s := range e.Samples {
		sum += of(s)
	}
	return sum
}

func cpuMicros(s sample) float64 { return float64(s.CPUPerRequest) / 1000 }

func p99Millis(s sample) float64 { return float64(s.P99) / 1e6 }

func heldKiB(s sample) float64 { return float64(s.Held) / 1024 / float64(s.Requests) }

func startMillis(s sample) float64 { return float64(s.Start) / 1e6 }

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

package main

import (
	"fmt"
	"slices"
	"strings"
)

// figure is what a case is about.
type figure struct {
	name   string // with its unit
	of     func(sample) float64
	format string
}

// figure returns what the case's ratios compare.
func (r caseResult) figure() figure {
	switch {
	case r.has(func(s sample) bool { return s.Start > 0 }):
		return figure{"start, ms", startMillis, "%.0f"}
	case r.has(func(s sample) bool { return s.Held != 0 }):
		return figure{"memory, KiB/connection", heldKiB, "%.1f"}
	case r.has(func(s sample) bool { return s.Rate > 0 }):
		return figure{"p99, ms", p99Millis, "%.2f"}
	}
	return figure{"CPU us/request", cpuMicros, "%.1f"}
}

// has reports whether a case's samples have something.
func (r caseResult) has(what func(sample) bool) bool {
	return slices.ContainsFunc(r.Columns, func(e entry) bool { return slices.ContainsFunc(e.Samples, what) })
}

// summaryTable is one line a case: every proxy's figure, and how Gatehouse's
// compares with nginx's.
func summaryTable(b *strings.Builder, results []caseResult) {
	fmt.Fprintln(b, "| case | figure | Gatehouse | nginx | HAProxy | Caddy | Gatehouse to nginx (least, most) | aim, at most |")
	fmt.Fprintln(b, "|---|---|---|---|---|---|---|---|")
	for _, r := range results {
		if r.entry("gatehouse") == nil {
			continue // it compares Gatehouse with itself
		}
		f := r.figure()
		fmt.Fprintf(b, "| %s | %s |", r.Title, f.name)
		for _, name := range []string{"gatehouse", "nginx", "haproxy", "caddy"} {
			fmt.Fprintf(b, " %s |", r.cell(name, f))
		}
		fmt.Fprintf(b, " %s | %s |\n", r.spread("gatehouse", f), r.aim())
	}
}

func (r caseResult) cell(name string, f figure) string {
	e := r.entry(name)
	switch {
	case e == nil:
		return "-"
	case len(e.Samples) == 0:
		return "failed"
	case e.Note != "":
		return fmt.Sprintf(f.format+" (failed)", e.median(f.of))
	}
	return fmt.Sprintf(f.format, e.median(f.of))
}

func (r caseResult) spread(name string, f figure) string {
	e := r.entry(name)
	if e == nil {
		return "-"
	}
	ratios := r.ratios(*e, "nginx", f.of)
	if len(ratios) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f (%.2f, %.2f)", median(ratios), slices.Min(ratios), slices.Max(ratios))
}

func (r caseResult) aim() string {
	if r.Most == 0 {
		return "-"
	}
	return fmt.Sprintf("%g", r.Most)
}

func (r caseResult) entry(name string) *entry {
	i := slices.IndexFunc(r.Columns, func(e entry) bool { return e.Proxy == name })
	if i < 0 {
		return nil
	}
	return &r.Columns[i]
}

// column is one of a table: its head, and its cell for a proxy.
type column struct {
	head string
	cell func(e entry) string
}

// number is a column of medians.
func number(head, format string, of func(sample) float64) column {
	return column{head, func(e entry) string { return fmt.Sprintf(format, e.median(of)) }}
}

// caseTable prints everything that was measured in a case.
func caseTable(b *strings.Builder, r caseResult) {
	columns := r.columns()
	fmt.Fprint(b, "| proxy |")
	for _, c := range columns {
		fmt.Fprintf(b, " %s |", c.head)
	}
	fmt.Fprintf(b, "\n|---|%s\n", strings.Repeat("---|", len(columns)))
	for _, e := range r.Columns {
		fmt.Fprintf(b, "| %s |", e.Proxy)
		for i, c := range columns {
			switch {
			case len(e.Samples) > 0:
				fmt.Fprintf(b, " %s |", c.cell(e))
			case i == 0:
				fmt.Fprint(b, " failed |")
			default:
				fmt.Fprint(b, " |")
			}
		}
		fmt.Fprintln(b)
	}
}

func (r caseResult) columns() []column {
	f := r.figure()
	toNginx := column{"to nginx", func(e entry) string { return r.ratio(e, "nginx", f.of) }}
	columns := []column{number(f.name, f.format, f.of), toNginx}
	if r.entry(open) != nil {
		columns[1] = column{"added to open, us", func(e entry) string { return r.added(e, open) }}
	}
	switch f.name {
	case "start, ms", "memory, KiB/connection":
		return append(columns, number("RSS MiB", "%.1f", rssMiB))
	case "p99, ms":
		columns = append(columns, number("rate", "%.0f", func(s sample) float64 { return s.Rate }),
			number("CPU us/request", "%.1f", cpuMicros),
			number("sent late p99 ms", "%.2f", func(s sample) float64 { return float64(s.LateP99) / 1e6 }),
			column{"unanswered", func(e entry) string { return fmt.Sprint(e.sum(func(s sample) uint64 { return s.Unanswered })) }})
	default:
		columns = append(columns, number("p99 ms", "%.2f", p99Millis))
	}
	if r.entry(bareNginx) != nil {
		columns = append(columns, column{"to bare nginx", func(e entry) string { return r.ratio(e, bareNginx, f.of) }})
	}
	return append(columns,
		number("p50 ms", "%.2f", func(s sample) float64 { return float64(s.P50) / 1e6 }),
		number("requests/s", "%.0f", func(s sample) float64 { return s.PerSecond }),
		number("busy", "%.0f %%", func(s sample) float64 { return s.Busy * 100 }),
		number("others", "%.0f %%", func(s sample) float64 { return s.Others * 100 }),
		number("load", "%.0f %%", func(s sample) float64 { return s.Load * 100 }),
		column{"log", func(e entry) string { return yesNo(e.Logs) }},
		column{"errors", func(e entry) string { return fmt.Sprint(e.sum(func(s sample) uint64 { return s.Errors })) }},
		number("RSS MiB", "%.1f", rssMiB))
}

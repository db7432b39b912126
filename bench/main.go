// Command bench measures Gatehouse beside nginx, HAProxy and Caddy on one
// machine in one run: the proxy alone on one core, the clients and the backend
// on another. README.md says how to run it and how to read what it prints.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// options is what the command line says.
type options struct {
	cases, proxies string
	rounds         int
	seconds        float64
	rate           float64
	quick, keep    bool
	list           bool
	json, markdown string
	gatehouse      string
	caddy          string
	proxyCPU       int
	loadCPU        int
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == backendCommand {
		if err := beBackend(); err != nil {
			fmt.Fprintln(os.Stderr, "bench: backend:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(parse()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse() options {
	var o options
	flag.StringVar(&o.cases, "cases", "", "comma-separated cases to run (default all, see -list)")
	flag.StringVar(&o.proxies, "proxies", "", "comma-separated proxies to measure: gatehouse, nginx, haproxy, caddy (default all)")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of every case; figures are medians over them")
	flag.Float64Var(&o.seconds, "seconds", 1.5, "length of one measurement")
	flag.Float64Var(&o.rate, "rate", 0, "requests a second in the paced case (default a share of what nginx takes)")
	flag.BoolVar(&o.quick, "quick", false, "one round of one second: shows that all works, measures little")
	flag.BoolVar(&o.keep, "keep", false, "keep the folder with configurations and logs")
	flag.BoolVar(&o.list, "list", false, "list the cases and stop")
	flag.StringVar(&o.json, "o", "", "write every single measurement to this JSON file")
	flag.StringVar(&o.markdown, "markdown", "bench/results/latest.md", "write the tables to this file as well")
	flag.StringVar(&o.gatehouse, "gatehouse", "bin/gatehouse", "the gatehouse to measure")
	flag.StringVar(&o.caddy, "caddy", ".cache/bin/caddy", "the caddy to measure")
	flag.IntVar(&o.proxyCPU, "proxy-cpu", 0, "the core that the proxy runs on")
	flag.IntVar(&o.loadCPU, "load-cpu", 1, "the core that clients and backend run on")
	flag.Parse()
	if o.quick {
		o.rounds, o.seconds = 1, 1
	}
	return o
}

// length is how long one measurement takes.
func (o options) length() time.Duration { return time.Duration(o.seconds * float64(time.Second)) }

func run(o options) error {
	if o.list {
		for _, c := range cases() {
			fmt.Printf("%-14s %s\n", c.name, c.title)
		}
		return nil
	}
	chosen, err := choose(o.cases, cases(), func(c scenario) string { return c.name })
	if err != nil {
		return err
	}
	peers, err := findPeers(o)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	if err := pinSelf(o.loadCPU); err != nil {
		return fmt.Errorf("cannot run on core %d, two cores are needed: %w", o.loadCPU, err)
	}
	runtime.GOMAXPROCS(1)
	b, err := newBench(o, peers)
	if err != nil {
		return err
	}
	defer b.close()

	results := b.runAll(ctx, chosen)
	if len(results) == 0 {
		return errors.Join(errors.New("nothing was measured"), ctx.Err())
	}
	return publish(o, peers, results)
}

// publish prints the tables and writes the files.
func publish(o options, peers []peer, results []caseResult) error {
	where := describeRun(o, peers)
	text := markdown(where, results)
	fmt.Print("\n", text)
	if err := writeFile(o.markdown, []byte(text)); err != nil {
		return err
	}
	if o.json != "" {
		data, err := encodeJSON(where, results)
		if err != nil {
			return err
		}
		if err := writeFile(o.json, data); err != nil {
			return err
		}
	}
	return failures(results)
}

// failures is an error where any proxy failed in any case.
func failures(results []caseResult) error {
	var failed []string
	for _, r := range results {
		for _, e := range r.Columns {
			if e.Note != "" {
				failed = append(failed, r.Case+"/"+e.Proxy)
			}
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("not everything went well: %s", strings.Join(failed, ", "))
}

func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}

// choose picks the items that a comma-separated list names, or all of them
// where it is empty.
func choose[T any](list string, from []T, name func(T) string) ([]T, error) {
	if list == "" {
		return from, nil
	}
	var out []T
	for want := range strings.SplitSeq(list, ",") {
		found := false
		for _, item := range from {
			if name(item) == want {
				out, found = append(out, item), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no %q", want)
		}
	}
	return out, nil
}

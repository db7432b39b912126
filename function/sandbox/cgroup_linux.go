//go:build amd64 || arm64

package sandbox

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The controllers that functions are kept in bounds with.
const (
	memory  = "memory"
	cpu     = "cpu"
	pids    = "pids"
	freezer = "freezer"
)

// controllers is all of them, in the order in which they are named.
func controllers() []string { return []string{memory, cpu, pids, freezer} }

// dialect is how a version of cgroups says things.
type dialect struct {
	memoryLimit, peak, oom string
	frozen, freeze, thaw   string
	cpuLimit               func(quota int64) string
	cpuFile                string
	further                map[string]string // what else is written for memory, where there is such a file
	furtherLimit           string            // memory and swap together, where there is such a file
	tasks                  bool              // a thread moves itself in; else the process is born there
}

func version1() dialect {
	return dialect{
		memoryLimit: "memory.limit_in_bytes", peak: "memory.max_usage_in_bytes", oom: "memory.oom_control",
		frozen: "freezer.state", freeze: "FROZEN", thaw: "THAWED",
		cpuFile: "cpu.cfs_quota_us", cpuLimit: func(quota int64) string { return strconv.FormatInt(quota, 10) },
		furtherLimit: "memory.memsw.limit_in_bytes", tasks: true,
	}
}

func version2() dialect {
	return dialect{
		memoryLimit: "memory.max", peak: "memory.peak", oom: "memory.events",
		frozen: "cgroup.freeze", freeze: "1", thaw: "0",
		cpuFile: "cpu.max", cpuLimit: func(quota int64) string { return fmt.Sprintf("%d %d", quota, cpuPeriod) },
		further: map[string]string{"memory.swap.max": "0", "memory.oom.group": "1"},
	}
}

// cpuPeriod is in microseconds, and the kernel's own default.
const cpuPeriod = 100_000

// cgroups is where functions get theirs: a folder of this process's own in each
// hierarchy.
type cgroups struct {
	dialect
	bases map[string]string // by controller; several may share one
	flags int               // to write with
	next  atomic.Int64

	mu   sync.Mutex
	left []string // folders that could not be removed yet
}

// own begins the name of this process's folders, and says whose they are: the
// number of a process is given to others in time, and when it began is not.
func own() string {
	return fmt.Sprintf("gatehouse-%d-%s-%s", os.Getpid(), startOf(os.Getpid()), strings.ToLower(rand.Text()[:8]))
}

// startOf returns when a process began, in the kernel's ticks; "" where there is
// none.
func startOf(pid int) string {
	stat := readWord("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, ok := strings.Cut(stat, ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return ""
	}
	return fields[19]
}

// sweep removes what gateways that are gone have left in a folder. Processes of
// theirs have ended with them.
func sweep(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, "gatehouse-*-*-*"))
	for _, base := range left {
		parts := strings.Split(filepath.Base(base), "-")
		pid, err := strconv.Atoi(parts[1])
		if err != nil || startOf(pid) == parts[2] {
			continue
		}
		inner, _ := filepath.Glob(filepath.Join(base, "*"))
		for _, path := range inner {
			_ = os.Remove(path) // files of the kernel's stay, and do not keep the folder
		}
		_ = os.Remove(base)
	}
}

// folders returns each of several folders once.
func (c *cgroups) folders(below string) []string {
	seen := make(map[string]bool)
	var out []string
	for _, name := range controllers() {
		base, ok := c.bases[name]
		if ok && !seen[base] {
			seen[base] = true
			out = append(out, filepath.Join(base, below))
		}
	}
	return out
}

// group is the cgroup of one process and all that come of it.
type group struct {
	in    *cgroups
	name  string
	tasks []*os.File // by which a thread moves itself in
	dir   *os.File   // or in which the process is born
}

// make makes a group that limits nothing yet.
func (c *cgroups) make() (*group, error) {
	g := &group{in: c, name: strconv.FormatInt(c.next.Add(1), 10)}
	for _, dir := range c.folders(g.name) {
		if err := os.Mkdir(dir, 0o755); errors.Is(err, fs.ErrNotExist) {
			err = os.MkdirAll(dir, 0o755) // something has removed the empty folder of this gateway
			if err != nil {
				return nil, errors.Join(err, g.remove())
			}
		} else if err != nil {
			return nil, errors.Join(err, g.remove())
		}
	}
	if err := g.open(); err != nil {
		g.close()
		return nil, errors.Join(err, g.remove())
	}
	return g, nil
}

func (g *group) open() error {
	if !g.in.tasks {
		dir, err := os.Open(g.in.folders(g.name)[0])
		g.dir = dir
		return err
	}
	for _, dir := range g.in.folders(g.name) {
		f, err := os.OpenFile(filepath.Join(dir, "tasks"), g.in.flags, 0o600)
		if err != nil {
			return err
		}
		g.tasks = append(g.tasks, f)
	}
	return nil
}

// close gives up what was needed for the start.
func (g *group) close() {
	if g == nil {
		return
	}
	for _, f := range g.tasks {
		_ = f.Close()
	}
	g.tasks = nil
	if g.dir != nil {
		_ = g.dir.Close()
		g.dir = nil
	}
}

// limit sets the limits of a Spec.
func (g *group) limit(spec *Spec) error {
	if g.has(memory) {
		// What lies in /tmp is memory, and has a limit of its own.
		limit := strconv.FormatInt(spec.Memory+spec.Tmp, 10)
		if err := g.write(memory, g.in.memoryLimit, limit); err != nil {
			return err
		}
		if err := g.swap(limit); err != nil {
			return err
		}
	}
	if g.has(pids) {
		if err := g.write(pids, "pids.max", strconv.Itoa(spec.Processes)); err != nil {
			return err
		}
	}
	if g.has(cpu) && spec.CPU > 0 {
		return g.write(cpu, g.in.cpuFile, g.in.cpuLimit(int64(spec.CPU*cpuPeriod)))
	}
	return nil
}

// swap keeps a function from going on in swap where its memory ends, on kernels
// that count it.
func (g *group) swap(limit string) error {
	for name, value := range g.in.further {
		if err := g.write(memory, name, value); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if g.in.furtherLimit == "" {
		return nil
	}
	if err := g.write(memory, g.in.furtherLimit, limit); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (g *group) has(controller string) bool { return g != nil && g.in.bases[controller] != "" }

func (g *group) path(controller, file string) string {
	return filepath.Join(g.in.bases[controller], g.name, file)
}

func (g *group) write(controller, file, value string) error {
	f, err := os.OpenFile(g.path(controller, file), g.in.flags, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// peak returns the most memory that was in use at a time; 0 where nothing counts.
func (g *group) peak() int64 {
	if !g.has(memory) {
		return 0
	}
	n, _ := strconv.ParseInt(readWord(g.path(memory, g.in.peak)), 10, 64)
	return n
}

// starved reports whether the kernel has ended a process of the group for want
// of memory.
func (g *group) starved() bool {
	if !g.has(memory) {
		return false
	}
	for line := range strings.Lines(readWord(g.path(memory, g.in.oom))) {
		if count, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			return count != "0"
		}
	}
	return false
}

func (g *group) freeze(stop bool) error {
	if !g.has(freezer) {
		return errors.ErrUnsupported
	}
	if stop {
		return g.write(freezer, g.in.frozen, g.in.freeze)
	}
	return g.write(freezer, g.in.frozen, g.in.thaw)
}

// remove takes the group away, which no process may be in any more. What cannot
// be removed now is tried again with the next one, and at last by close.
func (g *group) remove() error {
	if g == nil {
		return nil
	}
	g.in.mu.Lock()
	defer g.in.mu.Unlock()
	return g.in.clear(g.in.folders(g.name))
}

func (c *cgroups) clear(more []string) error {
	var errs []error
	var left []string
	for _, dir := range append(c.left, more...) {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs, left = append(errs, err), append(left, dir)
		}
	}
	c.left = left
	return errors.Join(errs...)
}

// close takes this process's folders away. The kernel may take a moment to see
// that who has ended is gone.
func (c *cgroups) close() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.clear(c.folders(""))
	for range closeTries {
		if err == nil {
			break
		}
		time.Sleep(time.Millisecond)
		err = c.clear(nil)
	}
	return err
}

const closeTries = 500

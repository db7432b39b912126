//go:build linux && (amd64 || arm64)

package sandbox

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unified makes folders as cgroups of version 2 are; no kernel stands behind
// them. Files are made where they are written.
func unified(t *testing.T, controllers string) (machine, string) {
	t.Helper()
	at := t.TempDir()
	dir := filepath.Join(at, "system.slice/gatehouse.service")
	put(t, filepath.Join(dir, "cgroup.controllers"), controllers)
	put(t, filepath.Join(dir, "cgroup.procs"), "")
	mounts := fmt.Sprintf("30 23 0:26 / %s rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n", at)
	return machine{mounts: mounts, own: "0::/system.slice/gatehouse.service\n", flags: os.O_WRONLY | os.O_CREATE}, dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The kernel of the machines that this was written on has controllers in
// version 1 only. What is shown here is what is written where.
func TestVersion2(t *testing.T) {
	m, dir := unified(t, "cpuset cpu io memory pids\n")
	c, layers := m.cgroups("")
	if c == nil || c.tasks {
		t.Fatalf("%+v", layers)
	}
	for _, l := range layers {
		if !l.Here {
			t.Errorf("%+v", l)
		}
	}
	base := c.bases[memory]
	if filepath.Dir(base) != dir {
		t.Errorf("the gateway's folder is %s", base)
	}
	g, err := c.make()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.limit(&Spec{Memory: 64 << 20, Tmp: 1 << 20, CPU: 0.5, Processes: 99}); err != nil {
		t.Fatal(err)
	}
	if g.dir == nil || len(g.tasks) != 0 {
		t.Error("no descriptor to be born in")
	}
	g.close()
	if err := g.freeze(true); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]string{
		dir + "/cgroup.subtree_control":  "+memory +cpu +pids",
		base + "/cgroup.subtree_control": "+memory +cpu +pids",
		base + "/1/memory.max":           "68157440",
		base + "/1/memory.swap.max":      "0",
		base + "/1/memory.oom.group":     "1",
		base + "/1/cpu.max":              "50000 100000",
		base + "/1/pids.max":             "99",
		base + "/1/cgroup.freeze":        "1",
	} {
		if got := readWord(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	put(t, base+"/1/memory.peak", "12345\n")
	put(t, base+"/1/memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 1\n")
	if g.peak() != 12345 || !g.starved() {
		t.Errorf("peak %d, starved %v", g.peak(), g.starved())
	}
	put(t, base+"/1/memory.events", "oom 1\noom_kill 0\n")
	if g.starved() {
		t.Error("starved, though nothing was killed")
	}
}

func TestVersion2IsNotThere(t *testing.T) {
	m, dir := unified(t, "cpuset io\n")
	c, layers := m.cgroups("")
	if c != nil || len(layers) != 4 || layers[0].Here || !strings.Contains(layers[0].Why, dir+" has no controllers") || !strings.Contains(layers[0].Cure, "Delegate=yes") {
		t.Errorf("%+v, %+v", c, layers)
	}
	m, _ = unified(t, "memory pids\n")
	if c, layers = m.cgroups(""); c == nil || !layers[0].Here || layers[1].Here || layers[1].Cure == "" {
		t.Errorf("without cpu: %+v", layers)
	}
	if c, layers = (machine{}).cgroups(""); c != nil || !strings.Contains(layers[0].Why, "no cgroups are mounted") {
		t.Errorf("without anything: %+v", layers)
	}
	named := t.TempDir()
	put(t, named+"/cgroup.controllers", "memory cpu pids")
	if c, layers = m.cgroups(named); c == nil || filepath.Dir(c.bases[pids]) != named {
		t.Errorf("by name: %+v", layers)
	}
	m.own = "0::/system.slice/gatehouse.service/gateway\n" // where a gateway before this one has moved to
	if c, layers = m.cgroups(""); c == nil || filepath.Base(filepath.Dir(c.bases[pids])) != "gatehouse.service" {
		t.Errorf("from the leaf: %+v", layers)
	}
}

func TestMove(t *testing.T) {
	m, dir := unified(t, "memory")
	put(t, dir+"/cgroup.procs", fmt.Sprintf("%d\n", os.Getpid()))
	if err := m.move(dir); err != nil || readWord(dir+"/gateway/cgroup.procs") != fmt.Sprint(os.Getpid()) {
		t.Error(err)
	}
	put(t, dir+"/cgroup.procs", fmt.Sprintf("1\n%d\n", os.Getpid()))
	if err := m.move(dir); err == nil || !strings.Contains(err.Error(), "other processes") {
		t.Errorf("among others: %v", err)
	}
}

func TestFolder(t *testing.T) {
	m := machine{
		mounts: `1 0 0:1 / / rw - ext4 /dev/vda rw
31 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct
32 23 0:28 /docker/abc /sys/fs/cgroup/memory ro,nosuid master:11 - cgroup cgroup rw,memory
33 23 0:29 / /sys/fs/my\040groups rw - cgroup2 cgroup2 rw
broken
`,
		own: "4:memory:/docker/abc\n3:cpu,cpuacct:/a:b\n1:name=systemd:/\n0::/user.slice\n",
	}
	for controller, want := range map[string]string{
		memory: "/sys/fs/cgroup/memory", cpu: "/sys/fs/cgroup/cpu,cpuacct/a:b", "": "/sys/fs/my groups/user.slice", pids: "", "name=systemd": "",
	} {
		if got, _ := m.folder(controller); got != want {
			t.Errorf("%q: %s, want %s", controller, got, want)
		}
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	self := own()
	for _, name := range []string{"gatehouse-1-0-abc/1", "gatehouse-999999999-5-abc/7", self + "/1", "gatehouse-x-1-2", "other"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sweep(dir)
	var left []string
	for _, e := range must(os.ReadDir(dir)) {
		left = append(left, e.Name())
	}
	if got, want := strings.Join(left, " "), self+" gatehouse-x-1-2 other"; got != want {
		t.Errorf("left: %s, want %s", got, want)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestSeats(t *testing.T) {
	s := &seats{first: 100, count: 3, used: make(map[int]bool)}
	var got []int
	for range 3 {
		got = append(got, must(s.take()))
	}
	if _, err := s.take(); err == nil || fmt.Sprint(got) != "[100 101 102]" {
		t.Errorf("%v, %v", got, err)
	}
	s.give(101)
	if uid := must(s.take()); uid != 101 {
		t.Errorf("got %d", uid)
	}
	s.give(100)
	s.give(102)
	if uid := must(s.take()); uid != 102 {
		t.Errorf("got %d: the one that was free for longest is 102", uid)
	}
}

// TestCgroupsThatDoNotWork: they are there, and nothing can be started in them.
func TestCgroupsThatDoNotWork(t *testing.T) {
	h, err := newHost()
	if err != nil {
		t.Fatal(err)
	}
	s := &Sandbox{log: slog.New(slog.DiscardHandler), host: h, filter: filterProgram(), nursery: newNursery(h.devNull), running: make(map[*Process]struct{})}
	if h.uid == 0 {
		s.seats = must(newSeats())
	}
	defer func() { _ = s.Close() }()
	s.cgroups = &cgroups{dialect: version1(), bases: map[string]string{memory: t.TempDir()}, flags: os.O_WRONLY}
	_, err = s.first()
	if err == nil {
		t.Fatal("it started")
	}
	missing, layers, err := s.withoutCgroups(err, nil)
	if err != nil {
		t.Skip(err)
	}
	if missing != nil && h.uid == 0 || len(layers) != 4 || !strings.Contains(layers[0].Why, "tasks: no such file") || s.grade() != Namespaces {
		t.Errorf("%v, %+v", missing, layers)
	}
}

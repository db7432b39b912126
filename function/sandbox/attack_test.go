//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gatehouse/function/sandbox"
)

// attack is one thing that a function must not be able to do.
type attack struct {
	name  string
	args  []string
	fails string // what the function says of it, in the sandbox
	works string // and outside; not tried where empty
	root  bool   // works only where root tries it
}

// plainly runs the program outside of a sandbox.
func plainly(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(filepath.Join(program(t), "bootstrap"), args...).Output()
	if err != nil && len(out) == 0 {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (a attack) try(t *testing.T, s *sandbox.Sandbox) {
	t.Run(a.name, func(t *testing.T) {
		if a.works != "" && (!a.root || os.Getuid() == 0) {
			if said := plainly(t, a.args...); !strings.Contains(said, a.works) {
				t.Errorf("outside it does not work either, so this shows nothing: %s", said)
			}
		}
		if said, exit := run(t, s, spec(t, a.args...)); !strings.Contains(said, "failed: ") || !strings.Contains(said, a.fails) || exit.Code != 1 {
			t.Errorf("said %q, exit %v; want: failed, %s", said, exit, a.fails)
		}
	})
}

// victim is a process outside, as the gateway is one.
func victim(t *testing.T, env string) int {
	t.Helper()
	cmd := exec.Command(filepath.Join(program(t), "bootstrap"), "sleep")
	cmd.Env = []string{env}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("the victim did not start")
	}
	return cmd.Process.Pid
}

func listen(t *testing.T, network, address string) string {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestOthersAreOutOfReach(t *testing.T) {
	s, _ := open(t)
	pid := strconv.Itoa(victim(t, "SECRET=7f1c44"))
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("7f1c44"), 0o644); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "control.sock")
	listen(t, "unix", socket)
	const refused, missing = "connection refused", "no such file or directory"
	for _, a := range []attack{
		{name: "a file of the gateway's", args: []string{"read", secret}, fails: missing, works: "7f1c44"},
		{name: "another function's code", args: []string{"read", program(t) + "/bootstrap"}, fails: missing, works: "ELF"},
		{name: "environments of all processes", args: []string{"environ", "7f1c44"}, fails: "none of 1", works: "found"},
		{name: "the environment of the gateway", args: []string{"read", "/proc/" + pid + "/environ"}, fails: missing, works: "7f1c44"},
		{name: "descriptors of the gateway", args: []string{"list", "/proc/" + pid + "/fd"}, fails: missing, works: "0"},
		{name: "a signal to the gateway", args: []string{"signal", pid, "0"}, fails: "no such process", works: "signalled"},
		{name: "a socket in the file system", args: []string{"dial", "unix", socket}, fails: missing, works: "connected"},
		{name: "an abstract socket", args: []string{"dial", "unix", listen(t, "unix", fmt.Sprintf("@gatehouse-test-%d", os.Getpid()))}, fails: refused, works: "connected"},
		{name: "a port of this machine", args: []string{"dial", "tcp", listen(t, "tcp", "127.0.0.1:0")}, fails: refused, works: "connected"},
		{name: "outside", args: []string{"dial", "udp", "192.0.2.1:53"}, fails: "network is unreachable"},
		{name: "outside by name", args: []string{"dial", "tcp", "example.com:443"}, fails: "example.com"},
	} {
		a.try(t, s)
	}
	// One that is sent to everything reaches everything: in the name space.
	if said, exit := run(t, s, spec(t, "signal", "-1", "9")); exit.Code != 1 || !strings.Contains(said, "no such process") {
		t.Errorf("kill -9 -1: %q, %v", said, exit)
	}
	if err := syscall.Kill(must(strconv.Atoi(pid)), 0); err != nil {
		t.Errorf("the victim is gone: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestFunctionsDoNotMeet has two of them at once, one of which serves.
func TestFunctionsDoNotMeet(t *testing.T) {
	s, _ := open(t)
	for i, address := range []string{"@function", "127.0.0.1:5000"} {
		network := []string{"unix", "tcp"}[i]
		p, err := s.Start(context.Background(), spec(t, "serve", network, address))
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(p.Stdout)
		if !lines.Scan() || lines.Text() != "asleep" {
			t.Fatalf("it does not serve: %s", lines.Text())
		}
		attack{name: network, args: []string{"dial", network, address}, fails: "connection refused"}.try(t, s)
		attack{name: "its /tmp", args: []string{"read", "/tmp/left"}, fails: "no such file"}.try(t, s)
		attack{name: "its shared memory", args: []string{"segment", "4711"}, fails: "no such file"}.try(t, s)
		attack{name: "its process", args: []string{"signal", strconv.Itoa(p.HostPID()), "0"}, fails: "no such process"}.try(t, s)
		p.Kill()
		_ = p.Stdout.Close()
		_ = p.Stderr.Close()
	}
	// The same one after the other, outside: what is left is found.
	if plainly(t, "segment", "4711", "create") != "found" || plainly(t, "segment", "4711", "remove") != "found" {
		t.Error("outside, shared memory is not found either")
	}
}

func TestWhatItIs(t *testing.T) {
	s, _ := open(t)
	said, _ := run(t, s, spec(t, "status"))
	for _, want := range []string{
		"Uid=1000,1000,1000,1000", "Gid=1000,1000,1000,1000", "CapInh=0000000000000000", "CapPrm=0000000000000000",
		"CapEff=0000000000000000", "CapBnd=0000000000000000", "CapAmb=0000000000000000", "NoNewPrivs=1", "Seccomp=2",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%s is not in %s", want, said)
		}
	}
	if os.Getuid() == 0 && !strings.Contains(said, "Groups= ") {
		t.Errorf("groups: %s", said)
	}
	if said, _ := run(t, s, spec(t, "environment")); said != "A=1 host=function pid=1 in=/var/task umask=022" {
		t.Errorf("environment: %s", said)
	}
	// A descriptor that is not closed by exec, as some service managers leave.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	leak, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD, 200)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(leak) }()
	if said := plainly(t, "descriptors"); !strings.Contains(said, strconv.Itoa(leak)) {
		t.Errorf("outside, the descriptor does not leak either: %s", said)
	}
	if said, _ := run(t, s, spec(t, "descriptors")); said != "0 1 2" {
		t.Errorf("descriptors: %s", said)
	}
}

func TestWhatItSees(t *testing.T) {
	s, _ := open(t)
	for path, want := range map[string]string{
		"/":         "dev etc mnt opt proc tmp var",
		"/dev":      "fd full null random stderr stdin stdout urandom zero",
		"/tmp":      "",
		"/var":      "runtime task",
		"/var/task": "bootstrap",
		"/opt":      "",
		"/etc":      "group hosts nsswitch.conf passwd resolv.conf",
	} {
		said, exit := run(t, s, spec(t, "list", path))
		if path == "/etc" {
			said = strings.Replace(said, " ssl", "", 1) // where this machine has authorities
		}
		if said != want || exit.Code != 0 {
			t.Errorf("%s: %q, %v", path, said, exit)
		}
	}
	// Writes wait for who reads, as programs expect.
	if said, _ := run(t, s, spec(t, "read", "/proc/self/fdinfo/1")); !strings.Contains(said, "flags:\t01;") {
		t.Errorf("standard output: %s", said)
	}
	if said, _ := run(t, s, spec(t, "list", "/proc")); strings.Fields(said)[0] != "1" || strings.Contains(said, " "+strconv.Itoa(os.Getpid())+" ") {
		t.Errorf("/proc: %s", said)
	}
	for _, path := range []string{"/proc/cmdline", "/proc/interrupts", "/proc/keys"} {
		if said, _ := run(t, s, spec(t, "read", path)); said != "" && !strings.Contains(said, "no such file") {
			t.Errorf("%s: %q", path, said)
		}
	}
	for _, path := range []string{"/dev/stdout", "/tmp/a", "/dev/null"} {
		if said, _ := run(t, s, spec(t, "write", path, "x")); !strings.HasSuffix(said, "written") {
			t.Errorf("%s cannot be written: %s", path, said)
		}
	}
}

func TestNothingIsChanged(t *testing.T) {
	s, _ := open(t)
	for _, path := range []string{
		"/new", "/var/new", "/var/task/new", "/var/task/bootstrap", "/etc/passwd", "/opt/new", "/dev/new", "/mnt/new", "/proc/sys/kernel/core_pattern",
		"/proc/self/oom_score_adj", "/proc/self/uid_map", "/proc/sysrq-trigger", "/sys/fs/cgroup/memory/release_agent", "/sys/fs/cgroup/cgroup.procs",
	} {
		said, exit := run(t, s, spec(t, "write", path, "0"))
		if exit.Code != 1 || !strings.Contains(said, "read-only") && !strings.Contains(said, "denied") && !strings.Contains(said, "no such file") && !strings.Contains(said, "text file busy") {
			t.Errorf("%s: %q, %v", path, said, exit)
		}
	}
}

func TestTheKernelIsOutOfReach(t *testing.T) {
	s, _ := open(t)
	const no, none = "operation not permitted", "function not implemented"
	attacks := []attack{
		{name: "ptrace itself", args: []string{"traceme"}, fails: no, works: "traced"},
		{name: "ptrace a child", args: []string{"attach"}, fails: no, works: "traced"},
		{name: "mount tmpfs", args: []string{"mount", "tmpfs", "/tmp", ""}, fails: no},
		{name: "mount cgroups", args: []string{"mount", "cgroup", "/tmp", "memory"}, fails: no},
		{name: "mount cgroup2", args: []string{"mount", "cgroup2", "/tmp", ""}, fails: no},
		{name: "mount proc", args: []string{"mount", "proc", "/tmp", ""}, fails: no},
		{name: "a device", args: []string{"mknod", "/tmp/memory-" + strconv.Itoa(os.Getpid())}, fails: "permi", works: "made", root: true},
		{name: "the memory of the machine", args: []string{"read", "/dev/mem"}, fails: "no such file"},
		{name: "a user namespace", args: []string{"space", "0x10000000"}, fails: no, works: "hello"},
		{name: "a network namespace", args: []string{"space", "0x40000000"}, fails: no, works: "hello", root: true},
		{name: "netfilter", args: []string{"socket", "16", "3", "12"}, fails: "address family not supported", works: "opened"},
		{name: "packets", args: []string{"socket", "17", "3", "768"}, fails: "address family not supported", works: "opened", root: true},
		{name: "raw sockets", args: []string{"socket", "2", "3", "1"}, fails: no, works: "opened", root: true},
	}
	for _, a := range attacks {
		a.try(t, s)
	}
	_ = os.Remove("/tmp/memory-" + strconv.Itoa(os.Getpid()))
	// What is left is there: none of these is refused for being a socket at all.
	for _, args := range [][]string{{"socket", "1", "1", "0"}, {"socket", "2", "1", "0"}, {"socket", "10", "1", "0"}, {"socket", "16", "3", "0"}} {
		if said, _ := run(t, s, spec(t, args...)); said != "opened" {
			t.Errorf("%v: %s", args, said)
		}
	}
}

// TestCalls makes every system call that is refused, and some that are new.
func TestCalls(t *testing.T) {
	s, _ := open(t)
	want := make(map[uint32]string)
	for _, number := range sandbox.Refused() {
		want[number] = "operation_not_permitted"
	}
	for _, number := range []uint32{unix.SYS_CLONE3, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, unix.SYS_VMSPLICE, unix.SYS_MOVE_PAGES, unix.SYS_MBIND, 1000, 0x40000000 + 1} {
		want[number] = "function_not_implemented"
	}
	var numbers []string
	for number := range want {
		numbers = append(numbers, strconv.Itoa(int(number)))
	}
	said, _ := run(t, s, spec(t, "calls", strings.Join(numbers, ",")))
	for number, answer := range want {
		if !slices.Contains(strings.Fields(said), fmt.Sprintf("%d=%s", number, answer)) {
			t.Errorf("%d: not %s, in %s", number, answer, said)
		}
	}
	if said := plainly(t, "calls", strconv.Itoa(unix.SYS_CLONE3)+","+strconv.Itoa(unix.SYS_IO_URING_SETUP)); strings.Contains(said, "not_implemented") {
		t.Errorf("outside they are not there either: %s", said)
	}
}

// TestOtherWays are those of machines that forbid something, as far as root can
// take them here.
func TestOtherWays(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("an ordinary user needs a user namespace")
	}
	s, _ := open(t)
	s.Go(false, true)
	said, _ := run(t, s, spec(t, "status"))
	if !strings.Contains(said, "Uid=18790") || !strings.Contains(said, "CapEff=0000000000000000") || !strings.Contains(said, "CapBnd=0000000000000000") || !strings.Contains(said, "Groups= ") || !strings.Contains(said, "Seccomp=2") {
		t.Errorf("without a user namespace: %s", said)
	}
	pid := strconv.Itoa(victim(t, "SECRET=7f1c44"))
	for _, a := range []attack{
		{name: "signal", args: []string{"signal", pid, "0"}, fails: "no such process", works: "signalled"},
		{name: "environments", args: []string{"environ", "7f1c44"}, fails: "none of 1", works: "found"},
		{name: "mount", args: []string{"mount", "tmpfs", "/tmp", ""}, fails: "not permitted"},
		{name: "code", args: []string{"write", "/var/task/bootstrap", "x"}, fails: "bootstrap"},
		{name: "memory", args: []string{"write", "/proc/sys/vm/drop_caches", "1"}, fails: "drop_caches"},
	} {
		a.try(t, s)
	}
	s.Go(true, false)
	if said, _ := run(t, s, spec(t, "list", "/proc")); said != "" {
		t.Errorf("without /proc there is: %s", said)
	}
}

// TestSetuid has a program that makes whoever runs it root.
func TestSetuid(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root makes such a program")
	}
	s, _ := open(t)
	dir, err := os.MkdirTemp("", "gatehouse-setuid-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	code := must(os.ReadFile(filepath.Join(program(t), "bootstrap")))
	for name, mode := range map[string]os.FileMode{"bootstrap": 0o755, "root": 0o755 | os.ModeSetuid | os.ModeSetgid} {
		if err := os.WriteFile(filepath.Join(dir, name), code, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(dir, "root"), "whoami")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), "euid=0") {
		t.Errorf("outside, it does not make root either: %s, %v", out, err)
	}
	sp := spec(t, "exec", "/var/task/root", "whoami")
	sp.Code = dir
	if said, _ := run(t, s, sp); said != "uid=1000 euid=1000 gid=1000" {
		t.Errorf("said %q", said)
	}
}

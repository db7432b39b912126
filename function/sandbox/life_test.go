//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/function/sandbox"
)

func TestMistakes(t *testing.T) {
	s, _ := open(t)
	empty := t.TempDir()
	for _, c := range []struct {
		name   string
		change func(*sandbox.Spec)
		want   string
	}{
		{"a command that is not there", func(s *sandbox.Spec) { s.Command = "/var/task/missing" }, "run /var/task/missing: no such file or directory. Neither it, nor the interpreter"},
		{"a folder", func(s *sandbox.Spec) { s.Command = "/var/task" }, "run /var/task: permission denied. It must be executable, and readable by every user"},
		{"a relative command", func(s *sandbox.Spec) { s.Command = "bootstrap" }, "must be a path from the root within"},
		{"no code", func(s *sandbox.Spec) { s.Code = "" }, "without a folder of code"},
		{"code that is not there", func(s *sandbox.Spec) { s.Code = empty + "/missing" }, "missing: no such file or directory"},
		{"a tree that is not there", func(s *sandbox.Spec) { s.Trees = []string{"/missing"} }, "/missing: no such file or directory"},
		{"the root as a tree", func(s *sandbox.Spec) { s.Trees = []string{"/"} }, `the tree "/"`},
		{"a tree in the way", func(s *sandbox.Spec) { s.Trees = []string{"/proc/self"} }, `the tree "/proc/self"`},
		{"a tree above the way", func(s *sandbox.Spec) { s.Trees = []string{"/var"} }, `the tree "/var"`},
		{"a crooked tree", func(s *sandbox.Spec) { s.Trees = []string{"/usr/../proc"} }, `the tree "/usr/../proc"`},
		{"little memory", func(s *sandbox.Spec) { s.Memory = 1 << 20 }, "at least 16 MiB"},
		{"little tmp", func(s *sandbox.Spec) { s.Tmp = 0 }, "at least 1 MiB"},
		{"few processes", func(s *sandbox.Spec) { s.Processes = 1 }, "at least 16"},
		{"negative CPU", func(s *sandbox.Spec) { s.CPU = -1 }, "at least 0.01"},
		{"a NUL", func(s *sandbox.Spec) { s.Env = []string{"A=\x00"} }, "a NUL"},
		{"a long environment", func(s *sandbox.Spec) { s.Env = []string{strings.Repeat("x", 128<<10)} }, "at most"},
	} {
		sp := spec(t, "hello")
		c.change(&sp)
		p, err := s.Start(context.Background(), sp)
		if err == nil {
			p.Kill()
			t.Errorf("%s: it started", c.name)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want: %s", c.name, err, c.want)
		}
	}
}

// TestTrees runs a dynamically linked program of this machine's own.
func TestTrees(t *testing.T) {
	s, _ := open(t)
	layers, runtime := t.TempDir(), t.TempDir()
	for dir, name := range map[string]string{layers: "layer", runtime: "boot.sh"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("echo $0 $A; cat /opt/layer >/dev/null && ls /opt\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sp := spec(t, "/var/runtime/boot.sh")
	sp.Command, sp.Layers, sp.Runtime = "/bin/sh", layers, runtime
	for _, tree := range []string{"/usr", "/usr/bin", "/bin", "/lib", "/lib64"} {
		if _, err := os.Lstat(tree); err == nil {
			sp.Trees = append(sp.Trees, tree)
		}
	}
	if said, exit := run(t, s, sp); said != "/var/runtime/boot.sh 1\nlayer" || exit.Code != 0 {
		t.Errorf("said %q, %v", said, exit)
	}
}

func TestCancelledStart(t *testing.T) {
	s, _ := open(t)
	reason := errors.New("the reason")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(reason)
	if _, err := s.Start(ctx, spec(t, "sleep")); !errors.Is(err, reason) {
		t.Errorf("started, or: %v", err)
	}
}

// TestNothingIsLeft counts what starts and ends could leave.
func TestNothingIsLeft(t *testing.T) {
	s, _ := open(t)
	bad := spec(t)
	bad.Command = "/var/task/missing"
	once := func() {
		run(t, s, spec(t, "hello"))
		sp := spec(t, "sleep")
		sp.Listen = true
		p, err := s.Start(context.Background(), sp)
		if err != nil {
			t.Fatal(err)
		}
		o := collect(p)
		p.Kill()
		o.wait.Wait()
		if _, err := s.Start(context.Background(), bad); err == nil {
			t.Fatal("it started")
		}
	}
	once()
	s.Settle()
	before := len(must(os.ReadDir("/proc/self/fd")))
	for range 20 {
		once()
	}
	if s.Settle() == 0 {
		t.Error("no stage was kept for the next start")
	}
	if after := len(must(os.ReadDir("/proc/self/fd"))); after > before+2 { // the runtime may have opened some
		t.Errorf("%d descriptors became %d", before, after)
	}
	if left := groups(t, "/"); len(left) > 0 {
		t.Errorf("cgroups are left: %v", left)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left := groups(t, ""); len(left) > 0 {
		t.Errorf("cgroups are left: %v", left)
	}
	if _, err := s.Start(context.Background(), spec(t, "hello")); err == nil {
		t.Error("a closed sandbox starts processes")
	}
}

// groups returns this process's cgroups, or those in them.
func groups(t *testing.T, below string) []string {
	t.Helper()
	pattern := fmt.Sprintf("gatehouse-%d-*", os.Getpid())
	if below != "" {
		pattern += "/[0-9]*"
	}
	out, err := exec.Command("find", "/sys/fs/cgroup", "-type", "d", "-path", "*/"+pattern).Output()
	if err != nil {
		t.Log(err) // some may go while find looks
	}
	return strings.Fields(string(out))
}

// TestSpareIsGone: who kills the stage that waits does not keep a function from
// starting.
func TestSpareIsGone(t *testing.T) {
	s, _ := open(t)
	run(t, s, spec(t, "hello"))
	if !s.KillSpare() {
		t.Error("no stage was kept")
	}
	if said, _ := run(t, s, spec(t, "hello")); said != "hello" {
		t.Errorf("said %q", said)
	}
}

// TestNurseryIsGone: those that came from it stay, and others come.
func TestNurseryIsGone(t *testing.T) {
	s, _ := open(t)
	sp := spec(t, "echo")
	sp.Listen = true
	p, err := s.Start(context.Background(), sp)
	if err != nil {
		t.Fatal(err)
	}
	o := collect(p)
	conn := must(p.Listener.Accept())
	s.Settle()
	if err := s.KillNursery(); err != nil {
		t.Fatal(err)
	}
	if said, _ := run(t, s, spec(t, "hello")); said != "hello" {
		t.Errorf("said %q", said)
	}
	_, _ = conn.Write([]byte("still\n"))
	if said, err := bufio.NewReader(conn).ReadString('\n'); said != "still\n" {
		t.Errorf("said %q, %v", said, err)
	}
	_ = conn.Close()
	if exit := p.Wait(); exit.Code != 0 {
		t.Errorf("it ended by %v", exit)
	}
	o.wait.Wait()
}

// TestManyAtOnce starts and ends several side by side.
func TestManyAtOnce(t *testing.T) {
	s, _ := open(t)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 3 {
				p, err := s.Start(context.Background(), spec(t, "sleep"))
				if err != nil {
					t.Error(err)
					return
				}
				o := collect(p)
				_ = p.Peak()
				wait.Go(func() { p.Kill() })
				p.Kill()
				o.wait.Wait()
			}
		})
	}
	wait.Wait()
}

// asGateway makes a test a gateway that starts a function, says the function's
// number, and waits to be killed.
const asGateway = "SANDBOX_TEST_GATEWAY"

func TestNobodyOutlivesTheGateway(t *testing.T) {
	if os.Getenv(asGateway) != "" {
		s, _ := open(t)
		p, err := s.Start(context.Background(), spec(t, "daemon"))
		if err != nil {
			t.Fatal(err)
		}
		if !bufio.NewScanner(p.Stdout).Scan() {
			t.Fatal("it says nothing")
		}
		fmt.Println("\nfunction:", p.HostPID(), children(t, p.HostPID())[0])
		select {}
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestNobodyOutlivesTheGateway$")
	cmd.Env = append(os.Environ(), asGateway+"=1", "SANDBOX_TEST_PROGRAM="+program(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out := must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	for lines := bufio.NewScanner(out); len(pids) == 0 && lines.Scan(); {
		t.Log(lines.Text())
		var a, b int
		if n, _ := fmt.Sscanf(lines.Text(), "function: %d %d", &a, &b); n == 2 {
			pids = []int{a, b}
		}
	}
	var handles []int
	for _, pid := range pids {
		handles = append(handles, must(unix.PidfdOpen(pid, 0)))
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if len(handles) == 0 {
		t.Fatal("no function was started")
	}
	for i, handle := range handles {
		if !ends(handle, time.Minute) {
			t.Errorf("%d is left", pids[i])
		}
		_ = unix.Close(handle)
	}
	// What it could not take away any more, the next one does.
	pattern := fmt.Sprintf("gatehouse-%d-", cmd.Process.Pid)
	find := func() string {
		out, _ := exec.Command("find", "/sys/fs/cgroup", "-type", "d", "-name", pattern+"*").Output()
		return string(out)
	}
	left := find()
	_, level := open(t)
	if level.Grade == sandbox.Full && left == "" {
		t.Error("the killed gateway left nothing, so this shows nothing")
	}
	for tries := 0; find() != ""; tries++ { // the kernel may take a moment to see that they are gone
		if tries == 100 {
			t.Fatalf("cgroups are left: %s", find())
		}
		open(t)
	}
}

// ends waits until a process ends.
func ends(pidfd int, most time.Duration) bool {
	for deadline := time.Now().Add(most); time.Now().Before(deadline); {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(time.Until(deadline).Milliseconds()))
		if n == 1 && err == nil {
			return true
		}
	}
	return false
}

func TestWeak(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root has cgroups")
	}
	_, level, err := sandbox.New(sandbox.Config{Minimum: "full"}, slog.New(slog.DiscardHandler))
	if level.Grade == sandbox.Full {
		t.Skip("so has this user")
	}
	var weak *sandbox.Weak
	if !errors.As(err, &weak) || weak.Minimum != sandbox.Full {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"isolation.minimum asks for (full)", "this machine allows namespaces", "memory cgroup", "say isolation: {minimum: namespaces}"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// TestGatewayIsClosed is what the gateway does to itself: a function of the same
// user could look into it otherwise, were there nothing else.
func TestGatewayIsClosed(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root looks into everything")
	}
	if said := plainly(t, "read", "/proc/"+strconv.Itoa(os.Getpid())+"/environ"); !strings.Contains(said, "permission denied") {
		t.Errorf("outside, the same user reads: %.60s", said)
	}
}

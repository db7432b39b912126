//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/function/sandbox"
)

func TestForkBomb(t *testing.T) {
	s, _ := open(t)
	if said := plainly(t, "bomb", "100", "all"); said != "100 processes" {
		t.Errorf("outside: %s", said)
	}
	sp := spec(t, "bomb", "100")
	p, err := s.Start(context.Background(), sp)
	if err != nil {
		t.Fatal(err)
	}
	o := collect(p)
	p.Wait()
	o.wait.Wait()
	// Where it is the Go runtime that gets no thread any more, it says so by itself.
	said := o.String() + o.errors.String()
	if !strings.Contains(said, "resource temporarily unavailable") && !strings.Contains(said, "errno=11") {
		t.Errorf("said %q", said)
	}
	var got int
	if n, _ := fmt.Sscanf(said, "failed: after %d:", &got); n == 1 && got > sp.Processes {
		t.Errorf("said %q", said)
	}
	sp.Processes, sp.Memory = 1000, 1<<30
	if said, _ := run(t, s, sp); said != "100 processes" {
		t.Errorf("with room for them: %s", said)
	}
}

func TestMemoryHog(t *testing.T) {
	s, level := open(t)
	if level.Grade == sandbox.Full {
		said, exit := run(t, s, spec(t, "hog", "192")) // 64 MiB and 8 of /tmp
		if said != "" || !exit.OutOfMemory || exit.Signal != syscall.SIGKILL || exit.Peak > 73<<20 || exit.Peak < 60<<20 {
			t.Errorf("said %q, exit %+v", said, exit)
		}
	} else if said, exit := run(t, s, spec(t, "reserve", "2048")); !strings.Contains(said, "cannot allocate memory") {
		t.Errorf("said %q, exit %+v", said, exit)
	}
	more := spec(t, "hog", "192")
	more.Memory = 512 << 20
	if said, exit := run(t, s, more); said != "192 MiB" || exit.Peak < 192<<20 || exit.OutOfMemory {
		t.Errorf("with room for it: said %q, exit %+v", said, exit)
	}
}

func TestFullTmp(t *testing.T) {
	s, _ := open(t)
	said, _ := run(t, s, spec(t, "fill", "/tmp", "100"))
	if said != "failed: after 8 MiB: write /tmp/filled: no space left on device" {
		t.Errorf("said %q", said)
	}
	if said := plainly(t, "fill", t.TempDir(), "9"); said != "9 MiB" {
		t.Errorf("outside: %s", said)
	}
	if said, _ := run(t, s, spec(t, "litter", "/tmp", "5000")); !strings.HasPrefix(said, "failed: after 102") || !strings.Contains(said, "no space") {
		t.Errorf("files without content: %q", said)
	}
	// What is in /tmp takes none of the memory that the function was promised.
	sp := spec(t, "fill", "/tmp", "100")
	sp.Memory, sp.Tmp = sandbox.LeastMemory, 128<<20
	if said, exit := run(t, s, sp); said != "100 MiB" {
		t.Errorf("a large /tmp: said %q, exit %v", said, exit)
	}
}

func TestBurn(t *testing.T) {
	s, level := open(t)
	if level.Grade != sandbox.Full {
		t.Skip("without cgroups nothing limits CPU")
	}
	sp := spec(t, "burn", "1s")
	sp.CPU = 0.2
	said, exit := run(t, s, sp)
	took, err := time.ParseDuration(said)
	if err != nil {
		t.Fatal(err)
	}
	if most := took/5 + 150*time.Millisecond; exit.CPU > most { // one period more, and what it takes to start
		t.Errorf("used %v of CPU in %v", exit.CPU, took)
	}
}

func TestKillLeavesNobody(t *testing.T) {
	s, _ := open(t)
	cmd := exec.Command(filepath.Join(program(t), "bootstrap"), "daemon")
	if left := daemon(t, must(cmd.StdoutPipe()), cmd.Start, func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }); left == 0 {
		t.Error("outside, nobody is left either")
	} else {
		_ = syscall.Kill(left, syscall.SIGKILL)
	}
	p, err := s.Start(context.Background(), spec(t, "daemon"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(p.Stdout)
	lines.Scan()
	members := children(t, p.HostPID())
	p.Kill()
	for _, pid := range append(members, p.HostPID()) {
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("%d is left: %v", pid, err)
		}
	}
	for lines.Scan() { // ends once nobody has the pipe any more
	}
	_, _ = p.Stdout.Close(), p.Stderr.Close()
}

// daemon starts a process that says the number of another one, kills it, and
// returns the number if that one is left.
func daemon(t *testing.T, out io.Reader, start func() error, kill func()) int {
	t.Helper()
	if err := start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	pid := must(strconv.Atoi(lines.Text()))
	kill()
	if syscall.Kill(pid, 0) != nil {
		return 0
	}
	return pid
}

// children are those of all threads of a process.
func children(t *testing.T, pid int) []int {
	t.Helper()
	var out []int
	for _, path := range must(filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))) {
		text, _ := os.ReadFile(path) // a thread may have ended
		for _, word := range strings.Fields(string(text)) {
			out = append(out, must(strconv.Atoi(word)))
		}
	}
	if len(out) == 0 {
		t.Fatal("it has no children")
	}
	return out
}

func TestFreeze(t *testing.T) {
	s, level := open(t)
	sp := spec(t, "echo")
	sp.Listen = true
	p, err := s.Start(context.Background(), sp)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	o := collect(p)
	conn := must(p.Listener.Accept())
	defer func() { _ = conn.Close() }()
	lines := bufio.NewReader(conn)
	ask := func(wait time.Duration) (string, error) {
		_, _ = io.WriteString(conn, "a\n")
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		return lines.ReadString('\n')
	}
	if _, err := ask(time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := p.Freeze(); err != nil {
		if level.Grade == sandbox.Full {
			t.Error(err)
		}
		return
	}
	if said, err := ask(100 * time.Millisecond); err == nil {
		t.Errorf("while frozen it said %q", said)
	}
	if err := p.Thaw(); err != nil {
		t.Fatal(err)
	}
	if said, err := ask(time.Minute); err != nil {
		t.Errorf("after that it said %q, %v", said, err)
	}
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	p.Kill() // frozen as it is
	o.wait.Wait()
}

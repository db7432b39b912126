//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestConcealed has a process of the gateway's own, ordinary user look into it:
// root sees everything.
func TestConcealed(t *testing.T) {
	dir, err := os.MkdirTemp("", "gatehouse-conceal-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program, file := filepath.Join(dir, "gatehouse"), filepath.Join(dir, "gatehouse.yaml")
	own, err := exec.LookPath("gatehouse")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	text := "listen: [{address: \"127.0.0.1:0\"}]\nadmin: {address: off}\napis: {a: {authorize: none, routes: [{match: GET /ping, target: mock}]}}\n"
	for path, content := range map[string]string{program: string(code), file: text} {
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() == 0 {
		if err := os.Chown(dir, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	other := ordinary(dir, "sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	gateway := ordinary(dir, program, "run", "-c", file)
	said, err := gateway.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = gateway.Process.Kill(); _ = gateway.Wait() }()
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.Contains(lines.Text(), "listening") {
		t.Log(lines.Text())
	}
	for name, want := range map[int]string{other.Process.Pid: "SECRET=1", gateway.Process.Pid: "Permission denied"} {
		out, _ := ordinary(dir, "cat", fmt.Sprintf("/proc/%d/environ", name)).CombinedOutput()
		if !strings.Contains(string(out), want) {
			t.Errorf("%d: %q, want %s", name, out, want)
		}
	}
}

// ordinary is a command of a user that is not root.
func ordinary(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = []string{"LC_ALL=C", "SECRET=1", "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	return cmd
}

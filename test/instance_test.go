package test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse"
	"gatehouse/admin"
)

// instance is the gateway as its users run it: a file, a folder with its
// configuration, and processes.
type instance struct {
	*running
	file string // that is started, and that another version may take the place of

	mu      sync.Mutex
	started []*exec.Cmd // by us; restarts start others
	seen    map[int]bool
}

// buildVersion builds the command as a version.
func buildVersion(t *testing.T, version string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("the program is not built in a short test")
	}
	file := filepath.Join(t.TempDir(), "gatehouse-"+version)
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-X main.version="+version, "-o", file, "gatehouse/cmd/gatehouse")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return file
}

// newInstance returns a program that is not started yet. Whatever it became is
// ended with the test.
func newInstance(t *testing.T, file string) *instance {
	t.Helper()
	p := &instance{running: &running{t: t, dir: t.TempDir(), log: &lockedBuffer{}}, seen: map[int]bool{}}
	p.file = filepath.Join(p.dir, "gatehouse")
	p.install(file)
	t.Cleanup(p.end)
	return p
}

// install puts a version of the program in the place of the one that is there.
func (p *instance) install(file string) {
	p.t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(p.file+".new", data, 0o700)
	}
	if err == nil {
		err = os.Rename(p.file+".new", p.file)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// command returns the program with arguments, in its folder.
func (p *instance) command(args ...string) *exec.Cmd {
	cmd := exec.Command(p.file, args...)
	cmd.Dir = p.dir
	return cmd
}

// run starts the gateway.
func (p *instance) run(args ...string) *exec.Cmd {
	p.t.Helper()
	cmd := p.command(append([]string{"run"}, args...)...)
	// A file in place of a pipe: a process that outlives this one's interest must
	// not be held by it.
	log, err := os.OpenFile(filepath.Join(p.dir, "stderr"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.started = append(p.started, cmd)
	p.seen[cmd.Process.Pid] = true
	p.mu.Unlock()
	return cmd
}

// said is what all its processes have said.
func (p *instance) said() string {
	text, _ := os.ReadFile(filepath.Join(p.dir, "stderr"))
	return string(text)
}

// status asks the gateway that is in charge.
func (p *instance) status() (s gatehouse.Status, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = admin.Dial(filepath.Join(p.dir, "data")).Status(ctx, &s)
	if err == nil {
		p.mu.Lock()
		p.seen[s.PID] = true
		p.mu.Unlock()
	}
	return s, err
}

// awaitStatus waits until the status is as wanted.
func (p *instance) awaitStatus(what string, wanted func(gatehouse.Status) bool) gatehouse.Status {
	p.t.Helper()
	var last error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		s, err := p.status()
		if err == nil && wanted(s) {
			return s
		}
		last = err
	}
	p.t.Fatalf("%s never comes: %v; it said\n%s", what, last, p.said())
	return gatehouse.Status{}
}

// trust reads the root of its certificates.
func (p *instance) trust() *x509.CertPool {
	p.t.Helper()
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(filepath.Join(p.dir, "data", "ca", "root.pem"))
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		p.t.Fatalf("the internal CA's root: %v", err)
	}
	return roots
}

// ours are its processes that live.
func (p *instance) ours() (all []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for pid := range p.seen {
		// The program itself is shown to root alone: the gateway is not dumpable.
		if command, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline"); err == nil && strings.HasPrefix(string(command), p.dir) && lives(pid) {
			all = append(all, pid)
		}
	}
	return all
}

// end kills what is left of it.
func (p *instance) end() {
	_, _ = p.status()
	for _, pid := range p.ours() {
		if process, err := os.FindProcess(pid); err == nil {
			_ = process.Kill()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, cmd := range p.started {
		_ = cmd.Wait()
	}
}

// descriptors are the open ones of a process.
func descriptors(t *testing.T, pid int) int {
	t.Helper()
	all, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("no /proc: descriptors cannot be counted")
	}
	if errors.Is(err, os.ErrPermission) {
		t.Skip("only root sees a gateway's descriptors")
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// logLines reads the access log: every line is a whole JSON document.
func (p *instance) logLines() (n int) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "access.log"))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var document map[string]any
		if err := json.Unmarshal(line, &document); err != nil {
			p.t.Errorf("a line of the access log is broken: %q", line)
		}
		n++
	}
	return n
}

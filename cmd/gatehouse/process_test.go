package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a gateway of one route, GET /ping, as a process of its own.
type process struct {
	*exec.Cmd
	t    *testing.T
	dir  string
	port string
	said said
}

// said is what a process wrote so far.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// startProcess starts a gateway whose configuration says more, too.
func startProcess(t *testing.T, stdout *os.File, more string) *process {
	t.Helper()
	p := &process{t: t, dir: t.TempDir()}
	var err error
	if p.port, err = freePort(); err != nil {
		t.Fatal(err)
	}
	text := "listen: [{address: \"127.0.0.1:" + p.port + "\"}]\nadmin: {address: off}\napis: {a: {authorize: none, routes: [{match: GET /ping, target: mock}]}}\n"
	file := filepath.Join(p.dir, "gatehouse.yaml")
	if err := os.WriteFile(file, []byte(text+more), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Cmd = exec.Command("gatehouse", "run", "-c", file)
	p.Stdout, p.Stderr = stdout, &p.said
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	p.await("a first answer", func() bool { return p.ping() == nil })
	return p
}

func (p *process) ping() error {
	resp, err := http.Get("http://127.0.0.1:" + p.port + "/ping")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func (p *process) await(what string, done func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("%s never comes; it said %s", what, &p.said)
		}
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// end ends the process by SIGTERM, which it must answer with 0.
func (p *process) end() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if err := p.Wait(); err != nil {
		p.t.Errorf("it ended with %v and said %s", err, &p.said)
	}
}

// TestSignals: SIGUSR1 moves the access log to its new file, SIGHUP reloads,
// SIGTERM ends with 0 and everything written.
func TestSignals(t *testing.T) {
	p := startProcess(t, nil, "log: {access: ./access.log}\n")
	log := filepath.Join(p.dir, "access.log")
	lines := func(path string) int {
		text, _ := os.ReadFile(path)
		return bytes.Count(text, []byte("\n"))
	}
	p.await("a line", func() bool { return lines(log) > 0 })
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGUSR1)
	p.await("a new log", func() bool { _, err := os.Stat(log); return err == nil })
	before := lines(log + ".1")
	if err := p.ping(); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGHUP)
	p.await("a reload", func() bool { return strings.Contains(p.said.String(), "reloaded") })
	if err := p.ping(); err != nil {
		t.Fatal(err)
	}
	p.end()
	if n, old := lines(log), lines(log+".1"); n != 2 || old != before {
		t.Errorf("%d lines in the new log and %d more in the old one, want 2 and none", n, old-before)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "data", "control.sock")); err == nil {
		t.Error("the control socket was left behind")
	}
}

// TestNobodyReadsTheLog: where standard output leads nowhere any more, requests
// are served as ever.
func TestNobodyReadsTheLog(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = read.Close()
	p := startProcess(t, write, "")
	_ = write.Close()
	p.await("a write", func() bool { return strings.Contains(p.said.String(), "the access log cannot be written") })
	for range 5 {
		if err := p.ping(); err != nil {
			t.Errorf("then: %v", err)
		}
	}
	p.end()
}

//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"gatehouse/function/sandbox"
)

// program builds the function that the tests run, once for all of them, and
// returns its folder.
func program(t testing.TB) string {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var built = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("SANDBOX_TEST_PROGRAM"); dir != "" {
		return dir, nil
	}
	dir, err := os.MkdirTemp("", "gatehouse-sandbox-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "bootstrap"), "./testdata/function")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &buildError{string(out)}
	}
	return dir, os.Chmod(dir, 0o755)
})

type buildError struct{ output string }

func (e *buildError) Error() string { return "go build: " + e.output }

// TestMain makes the tests' process what the gateway is: nobody can look into it.
func TestMain(m *testing.M) {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		panic(err)
	}
	code := m.Run()
	if dir, err := built(); err == nil && os.Getenv("SANDBOX_TEST_PROGRAM") == "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// open returns a sandbox of the best grade that there is here.
func open(t testing.TB) (*sandbox.Sandbox, sandbox.Level) {
	t.Helper()
	s, level, err := sandbox.New(sandbox.Config{Minimum: "namespaces"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, level
}

func spec(t testing.TB, args ...string) sandbox.Spec {
	return sandbox.Spec{
		Command: "/var/task/bootstrap", Args: args, Env: []string{"A=1"}, Code: program(t),
		Memory: 64 << 20, Tmp: 8 << 20, Processes: 64, CPU: 1,
	}
}

// output is what a process writes.
type output struct {
	bytes.Buffer
	errors bytes.Buffer
	wait   sync.WaitGroup
}

func collect(p *sandbox.Process) *output {
	o := &output{}
	o.wait.Go(func() { _, _ = io.Copy(o, p.Stdout); _ = p.Stdout.Close() })
	o.wait.Go(func() { _, _ = io.Copy(&o.errors, p.Stderr); _ = p.Stderr.Close() })
	return o
}

// run starts a process, and returns what it wrote and how it ended.
func run(t testing.TB, s *sandbox.Sandbox, spec sandbox.Spec) (string, sandbox.Exit) {
	t.Helper()
	p, err := s.Start(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	o := collect(p)
	exit := p.Wait()
	o.wait.Wait()
	return strings.TrimSpace(o.String()), exit
}

func TestHello(t *testing.T) {
	s, level := open(t)
	t.Log(level)
	said, exit := run(t, s, spec(t, "hello"))
	t.Logf("at most %d KiB, %v of CPU", exit.Peak>>10, exit.CPU)
	if said != "hello" || exit.Code != 0 || exit.Peak <= 0 {
		t.Errorf("said %q, exit %+v", said, exit)
	}
}

func TestListener(t *testing.T) {
	s, _ := open(t)
	sp := spec(t, "call")
	sp.Listen = true
	p, err := s.Start(context.Background(), sp)
	if err != nil {
		t.Fatal(err)
	}
	o := collect(p)
	conn, err := p.Listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if to := conn.LocalAddr().(*net.TCPAddr); to.Port != sandbox.Port || !to.IP.IsLoopback() {
		t.Errorf("accepted at %s", to)
	}
	_, _ = io.WriteString(conn, "answered")
	_ = conn.Close()
	p.Wait()
	o.wait.Wait()
	if o.String() != "answered\n" {
		t.Errorf("said %q", o.String())
	}
	if _, err := p.Listener.Accept(); err == nil {
		t.Error("the listener outlives the process")
	}
}

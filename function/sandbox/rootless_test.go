//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const nobody = 65534

// TestAsOrdinaryUser runs all other tests once more, without root's powers.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("this is an ordinary user's run already")
	}
	dir, err := os.MkdirTemp("", "gatehouse-sandbox-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, work} {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	test := filepath.Join(dir, "test")
	if err := copyProgram(test); err != nil {
		t.Fatal(err)
	}
	args := []string{"-test.v", "-test.skip=^TestAsOrdinaryUser$"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.Command(test, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + work, "HOME=" + work, "SANDBOX_TEST_PROGRAM=" + program(t)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		t.Log(strings.TrimRight(line, "\n"))
	}
	if err != nil {
		t.Error(err)
	}
	if !strings.Contains(string(out), "--- PASS: TestHello") {
		t.Skip("this machine keeps user namespaces from ordinary users")
	}
}

// copyProgram copies the running test to where everyone may run it.
func copyProgram(to string) error {
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, from); err != nil {
		return err
	}
	return out.Close()
}

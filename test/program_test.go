package test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// alone runs a test in a process and a network of its own, where every port is
// free and nobody else is: what is printed for readers names ports. It reports
// whether this is that process; the other one has the test's result by then.
func alone(t *testing.T) bool {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds programs and uses curl: run without -short")
	}
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is missing: run scripts/setup test", program)
		}
	}
	if os.Getenv(aloneKey) != "" {
		loopbackUp(t)
		return true
	}
	if _, err := programs(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout", "3m")
	cmd.Env = append(os.Environ(), aloneKey+"=yes")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Skipf("this system gives nobody a network of their own: %v", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	t.Log(out.String())
	return false
}

// What a process that is alone is told by the one that started it.
const (
	aloneKey    = "GATEHOUSE_TEST_ALONE"
	programsKey = "GATEHOUSE_TEST_PROGRAMS" // the folder of the programs
)

func loopbackUp(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		t.Fatalf("the loopback interface: %v", err)
	}
}

// programs builds what a reader of the README has below bin, once, and returns
// the folder.
var programs = sync.OnceValues(func() (string, error) {
	dir := os.Getenv(programsKey)
	for name, path := range map[string]string{"gatehouse": "gatehouse/cmd/gatehouse", "shop": "gatehouse/examples/shop", "shop-services": "gatehouse/examples/shop/services"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), path).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %v\n%s", path, err, out)
		}
	}
	return dir, nil
})

// checkout is a folder as a reader has it: the programs below bin, the example,
// and nothing yet of what they write.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink(os.Getenv(programsKey), filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../examples/shop/gatehouse.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "examples/shop/gatehouse.yaml"), text)
	return dir
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	mode := os.FileMode(0o600)
	if bytes.HasPrefix(data, []byte("#!")) {
		mode = 0o700 // a program
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
}

// program is a program that runs.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	said *lockedBuffer
	done chan struct{}
}

// launch starts a program in a folder. It is killed at the end of the test.
func launch(t *testing.T, dir string, argv ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command(argv[0], argv[1:]...), said: &lockedBuffer{}, done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p.said, p.said
	p.cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(dir, ".cache"))
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

func (p *program) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// says waits until the program has said a text.
func (p *program) says(text string) {
	p.t.Helper()
	eventually(p.t, func() error {
		if said := p.said.String(); !strings.Contains(said, text) {
			return fmt.Errorf("the program says\n%s\nwant %s", said, text)
		}
		return nil
	})
}

// ends waits until the program has ended, and returns its exit code.
func (p *program) ends() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("it does not end:\n%s", p.said)
	}
	return p.cmd.ProcessState.ExitCode()
}

// children returns the processes that a process has started.
func children(pid int) []int {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	var out []int
	for _, field := range strings.Fields(string(data)) {
		var child int
		_, _ = fmt.Sscan(field, &child)
		out = append(out, child)
	}
	return out
}

// lives reports whether a process is there and has not ended.
func lives(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// eventually repeats a check until it passes.
func eventually(t testing.TB, check func() error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// listens waits until somebody listens on an address.
func listens(t *testing.T, address string) {
	t.Helper()
	eventually(t, func() error {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
}

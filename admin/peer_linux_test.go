package admin

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A data folder with a path longer than the kernel takes for sockets works.
func TestLongPath(t *testing.T) {
	data := filepath.Join(t.TempDir(), strings.Repeat("long/", 40), "data")
	control(t, data, &fake{})
	if err := Dial(data).Ready(context.Background()); err != nil {
		t.Error(err)
	}
}

// Another user is refused even where the permissions would let it in.
func TestOtherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	data, err := os.MkdirTemp("", "gatehouse")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(data)
	c := control(t, data, &fake{})
	for path, mode := range map[string]os.FileMode{data: 0o755, c.Path(): 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	answer := make(chan string)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		// The raw call changes this thread alone.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 65534, ^uintptr(0)); errno != 0 {
			answer <- errno.Error()
			return
		}
		conn, err := net.Dial("unix", c.Path())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: gatehouse\r\n\r\n"))
		n, err := conn.Read(make([]byte, 1))
		if n == 0 && err != nil {
			answer <- "hung up"
			return
		}
		answer <- "answered"
	}()
	if got := <-answer; got != "hung up" {
		t.Errorf("another user: %s", got)
	}
	if err := Dial(data).Ready(context.Background()); err != nil {
		t.Errorf("ourselves: %v", err)
	}
}

package takeover

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// firstPassed is the descriptor of the first socket that a service manager
// passes (sd_listen_fds(3)).
const firstPassed = 3

// Environment is how a process asks for and forgets its environment.
type Environment struct {
	Get   func(name string) string
	Unset func(name string) error
	PID   int
}

// OwnEnvironment is this process's.
func OwnEnvironment() Environment { return Environment{os.Getenv, os.Unsetenv, os.Getpid()} }

// Activated returns the sockets that the service manager has passed to this
// process, by LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, which are unset, so
// that no other program takes them for its own. None were passed where they are
// not set, or set for another process. It is called once, before anything is
// opened. An error names the socket that is of no use.
func Activated(e Environment) ([]Socket, error) {
	pid, count, names := e.Get("LISTEN_PID"), e.Get("LISTEN_FDS"), e.Get("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = e.Unset(name)
	}
	if pid != strconv.Itoa(e.PID) {
		return nil, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > maxSockets {
		return nil, fmt.Errorf("LISTEN_FDS is %q, which is no number of sockets", count)
	}
	called := strings.Split(names, ":")
	var out []Socket
	for i := range n {
		name := "unknown" // what systemd itself calls it
		if i < len(called) && called[i] != "" {
			name = called[i]
		}
		fd := firstPassed + i
		syscall.CloseOnExec(fd)
		l, err := fromFile(os.NewFile(uintptr(fd), name))
		if err != nil {
			NewSockets(out).Close()
			return nil, fmt.Errorf("the service manager's socket %s (descriptor %d): %w: a listener takes ListenStream=HOST:PORT", name, fd, err)
		}
		out = append(out, Socket{Key: name, Lasting: true, Listener: l})
	}
	return out, nil
}

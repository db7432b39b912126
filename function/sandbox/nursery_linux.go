//go:build amd64 || arm64

package sandbox

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/function/sandbox/stage"
)

var errNursery = errors.New("the process that functions are started from has ended")

// patience is far more than a fork takes: a nursery that takes longer is ended.
const patience = 20 * time.Second

// nursery is a small process that starts stages, as this one's children. It is
// there from the first one on.
type nursery struct {
	null  *os.File
	start chan func() // what the thread does that the nursery comes from

	mu   sync.Mutex
	conn *net.UnixConn // nil where none is
	pid  int
}

func newNursery(null *os.File) *nursery {
	n := &nursery{null: null, start: make(chan func())}
	go n.thread()
	return n
}

// thread is the one thread that the nursery, and so all processes, have as their
// parent. The kernel ends them with it, so it does not end before the gateway
// does.
func (n *nursery) thread() {
	runtime.LockOSThread()
	for do := range n.start {
		do()
	}
}

// deliver starts a stage with these files from descriptor 0 on.
func (n *nursery) deliver(fork stage.Step, files []*os.File) (pid, pidfd int, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for range 2 {
		if n.conn == nil {
			if err := n.open(); err != nil {
				return 0, 0, err
			}
		}
		pid, pidfd, err = n.ask(fork, files)
		if !errors.Is(err, errNursery) {
			return pid, pidfd, err
		}
		n.end() // somebody has killed it: there will be another one
	}
	return 0, 0, err
}

// open starts the nursery: without new name spaces, which costs no copy of
// anything.
func (n *nursery) open() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "nursery"), os.NewFile(uintptr(pair[1]), "nursery")
	defer func() { _, _ = ours.Close(), theirs.Close() }()
	conn, err := net.FileConn(ours)
	if err != nil {
		return err
	}
	null := n.null.Fd()
	attr := &syscall.ProcAttr{
		Env: []string{"GOMAXPROCS=1"}, Files: []uintptr{null, null, null, theirs.Fd()},
		Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	}
	done := make(chan struct{})
	n.start <- func() {
		n.pid, _, err = syscall.StartProcess("/proc/self/exe", []string{stage.Nursery}, attr)
		close(done)
	}
	<-done
	if err != nil {
		_ = conn.Close()
		return err
	}
	n.conn = conn.(*net.UnixConn)
	return nil
}

// ask sends one request, and reads its answer.
func (n *nursery) ask(fork stage.Step, files []*os.File) (pid, pidfd int, err error) {
	if err := n.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, 0, err
	}
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	_, _, err = n.conn.WriteMsgUnix(stage.Encode([]stage.Step{fork})[4:], unix.UnixRights(fds...), nil)
	runtime.KeepAlive(files)
	if err != nil {
		return 0, 0, errors.Join(errNursery, err)
	}
	b, oob := make([]byte, 8), make([]byte, unix.CmsgSpace(4))
	got, oobn, _, _, err := n.conn.ReadMsgUnix(b, oob)
	if err != nil || got != len(b) {
		return 0, 0, errors.Join(errNursery, err)
	}
	if e := syscall.Errno(binary.LittleEndian.Uint32(b)); e != 0 {
		return 0, 0, e
	}
	pidfd, err = descriptor(oob[:oobn])
	return int(binary.LittleEndian.Uint32(b[4:])), pidfd, err
}

// descriptor takes the one that came with a message.
func descriptor(oob []byte) (int, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(messages) == 0 {
		return 0, errors.Join(errors.New("no descriptor came"), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return 0, errors.Join(errors.New("no descriptor came"), err)
	}
	unix.CloseOnExec(fds[0])
	return fds[0], nil
}

// end ends the nursery. The processes that it has started are not its own.
func (n *nursery) end() {
	if n.conn == nil {
		return
	}
	_ = n.conn.Close()
	n.conn = nil
	_ = syscall.Kill(n.pid, syscall.SIGKILL)
	_, _ = syscall.Wait4(n.pid, nil, 0, nil)
}

// close ends the nursery for good; no deliver may come any more.
func (n *nursery) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.end()
	close(n.start)
}

//go:build amd64 || arm64

package sandbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"gatehouse/function/sandbox/stage"
)

// Start starts a process. Where it returns one, the program has begun, and the
// Listener, if one was asked for, takes connections. ctx bounds the start alone.
// The caller reads Stdout and Stderr until they end, and waits for the Process.
func (s *Sandbox) Start(ctx context.Context, spec Spec) (*Process, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	return s.start(ctx, &spec, execution(&spec))
}

// start does all but check the Spec; last is what the steps end with.
func (s *Sandbox) start(ctx context.Context, spec *Spec, last stage.Step) (*Process, error) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return nil, errClosed
	}
	defer s.spares.refill()
	if l := s.spares.take(); l != nil {
		p, err := l.lead(ctx, spec, last)
		if !errors.Is(err, errDied) {
			return p, err
		}
		s.log.Warn("a process that was kept ready for a function was gone: something has killed it")
	}
	l, err := s.bear()
	if err != nil {
		return nil, err
	}
	return l.lead(ctx, spec, last)
}

// launch is one start under way: a stage that waits for its steps, and what it
// was given. That goes to the Process, or back where there will be none.
type launch struct {
	sandbox *Sandbox
	steps   []stage.Step
	seat    int
	group   *group
	control *net.UnixConn
	theirs  []*os.File // what the process is given, from descriptor 1 on, and is closed here then
	process *Process
}

// bear starts a stage.
func (s *Sandbox) bear() (_ *launch, err error) {
	l := &launch{sandbox: s, process: &Process{sandbox: s, done: make(chan struct{})}}
	defer func() {
		if err != nil {
			l.abort()
		}
	}()
	if s.seats != nil {
		if l.seat, err = s.seats.take(); err != nil {
			return nil, err
		}
	}
	if s.cgroups != nil {
		if l.group, err = s.cgroups.make(); err != nil {
			return nil, err
		}
	}
	if err = l.open(); err != nil {
		return nil, err
	}
	return l, l.fork()
}

// lead has a stage become the program of a Spec.
func (l *launch) lead(ctx context.Context, spec *Spec, last stage.Step) (*Process, error) {
	p := l.process
	stop := context.AfterFunc(ctx, p.kill)
	err := l.tell(spec, last)
	if err == nil {
		err = l.follow()
	}
	if !stop() && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		l.end()
		return nil, err
	}
	_ = l.control.Close()
	p.group, p.seat = l.group, l.seat
	l.group.close()
	l.sandbox.add(p)
	go p.end()
	return p, nil
}

// tell makes the limits of a Spec hold, and sends the steps.
func (l *launch) tell(spec *Spec, last stage.Step) (err error) {
	if l.group != nil {
		if err := l.group.limit(spec); err != nil {
			return err
		}
	}
	if l.steps, err = l.sandbox.steps(spec, l.joins()); err != nil {
		return err
	}
	l.steps = append(l.steps, last)
	l.identify()
	if _, err = l.control.Write(stage.Encode(l.steps)); errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return errDied
	}
	return err
}

// end ends a stage that is of no use.
func (l *launch) end() {
	l.process.kill()
	l.process.reap()
	l.abort()
}

var errDied = errors.New("a function's process ended before its program began: it was killed, or the machine is out of memory")

func (l *launch) joins() int {
	if l.group == nil {
		return 0
	}
	return len(l.group.tasks)
}

// identify says who the process is where no user namespace turns its user into
// that of its seat.
func (l *launch) identify() {
	if l.sandbox.way.users || l.seat == 0 {
		return
	}
	for i := range l.steps {
		if l.steps[i].Op == stage.User {
			l.steps[i].N = []uint64{uint64(l.seat), uint64(l.seat)}
		}
	}
}

// abort gives everything back.
func (l *launch) abort() {
	p := l.process
	for _, f := range []*os.File{p.stdout, p.stderr} {
		if f != nil {
			_ = f.Close()
		}
	}
	if p.Listener != nil {
		_ = p.Listener.Close()
	}
	if l.control != nil {
		_ = l.control.Close()
	}
	l.closeTheirs()
	l.group.close()
	_ = l.group.remove()
	if l.seat != 0 {
		l.sandbox.seats.give(l.seat)
	}
}

func (l *launch) closeTheirs() {
	for _, f := range l.theirs {
		_ = f.Close()
	}
	l.theirs = nil
}

// open makes the pipes and the control socket.
func (l *launch) open() error {
	for _, ours := range []**os.File{&l.process.stdout, &l.process.stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		*ours, l.theirs = r, append(l.theirs, w)
		if l.seat != 0 { // so that /dev/stdout can be opened by its name
			if err := w.Chown(l.seat, l.seat); err != nil {
				return err
			}
		}
	}
	l.process.Stdout, l.process.Stderr = l.process.stdout, l.process.stderr
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	l.theirs = append(l.theirs, os.NewFile(uintptr(pair[1]), "control"))
	ours := os.NewFile(uintptr(pair[0]), "control")
	defer func() { _ = ours.Close() }()
	conn, err := net.FileConn(ours)
	if err != nil {
		return err
	}
	l.control = conn.(*net.UnixConn)
	return nil
}

const spaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP

// fork has the nursery start the process as a stage.
func (l *launch) fork() error {
	s := l.sandbox
	flags, inside, ambient, born := uint64(spaces), 0, uint64(0), uint64(0)
	if s.way.users {
		flags |= unix.CLONE_NEWUSER
	}
	switch {
	case s.way.users && s.host.uid == 0:
		inside = insideUser
	case s.way.users:
		// The stage says who it is by itself: what is below /proc of a process
		// that is not dumpable is not its user's to write.
		ambient = 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_SETPCAP
	}
	files := append([]*os.File{s.host.devNull}, l.theirs...)
	if l.group != nil {
		files = append(files, l.group.tasks...)
		if l.group.dir != nil {
			files, born = append(files, l.group.dir), 1
		}
	}
	pid, pidfd, err := s.nursery.deliver(stage.Step{Op: stage.Fork, N: []uint64{flags, uint64(inside), uint64(l.seat), ambient, born}}, files)
	l.closeTheirs()
	if err != nil {
		return fmt.Errorf("no process for a function: %w", err)
	}
	return l.process.born(pid, pidfd)
}

// follow reads what becomes of the steps until the control socket is closed, by
// the program's beginning or the process's end.
func (l *launch) follow() error {
	var said []byte
	for {
		b, oob := make([]byte, 64), make([]byte, unix.CmsgSpace(4))
		n, oobn, _, _, err := l.control.ReadMsgUnix(b, oob)
		if oobn > 0 {
			if err := l.receive(oob[:oobn]); err != nil {
				return err
			}
		}
		said = append(said, b[:max(n, 0)]...)
		if n <= 0 || err != nil {
			return l.judge(said)
		}
	}
}

// receive takes the socket that the stage listens on.
func (l *launch) receive(oob []byte) error {
	fd, err := descriptor(oob)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "function")
	defer func() { _ = f.Close() }()
	l.process.Listener, err = net.FileListener(f)
	return err
}

// judge says what a stage's words come to.
func (l *launch) judge(said []byte) error {
	ready := false
	for len(said) > 0 {
		switch {
		case said[0] == stage.Ready:
			ready = true
		case said[0] == stage.Failed && len(said) >= 9:
			return l.failure(binary.LittleEndian.Uint32(said[1:]), syscall.Errno(binary.LittleEndian.Uint32(said[5:])))
		}
		said = said[1:]
	}
	if !ready {
		return errDied
	}
	return nil
}

func (l *launch) failure(index uint32, e syscall.Errno) error {
	if int(index) >= len(l.steps) {
		return fmt.Errorf("a function's process could not begin: %w", e)
	}
	return &StepError{step: l.steps[index], err: e}
}

// StepError is that a process could not be made ready for its program, or the
// program could not be run.
type StepError struct {
	step stage.Step
	err  syscall.Errno
}

func (e *StepError) Error() string {
	text := fmt.Sprintf("a function's process could not %s: %v", describe(e.step), e.err)
	if e.step.Op != stage.Exec {
		return text
	}
	switch e.err {
	case syscall.EACCES:
		text += ". It must be executable, and readable by every user, and so must the folders on its way: chmod -R a+rX FOLDER"
	case syscall.ENOENT:
		text += ". Neither it, nor the interpreter or loader that it names, may be missing within"
	case syscall.ENOEXEC:
		text += ". It is no program of this machine's kind, and has no #! line"
	}
	return text
}

func (e *StepError) Unwrap() error { return e.err }

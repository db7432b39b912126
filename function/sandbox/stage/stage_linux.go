//go:build amd64 || arm64

package stage

import (
	"encoding/binary"
	"os"
	"syscall"
)

// enter does nothing in a process that is no stage. Package initialisation runs
// on the main thread, which is the one that the steps are about.
func enter() struct{} {
	if len(os.Args) != 1 {
		return struct{}{}
	}
	switch os.Args[0] {
	case Name:
		run()
		syscall.Exit(1)
	case Nursery:
		keep()
		syscall.Exit(0)
	}
	return struct{}{}
}

// run does the steps that the parent sends. It returns where one failed.
func run() {
	// What the gateway was itself started with, and left open, is not passed on.
	if err := closeOnExec(Control); err != 0 {
		fail(0, err)
		return
	}
	syscall.Umask(0o022)
	b, err := receive()
	if err != nil {
		return // the parent is gone
	}
	steps, err := decode(b)
	if err != nil {
		fail(0, syscall.EBADMSG)
		return
	}
	for i, step := range steps {
		if err := do(step); err != 0 {
			fail(i, err)
			return
		}
	}
}

func receive() ([]byte, error) {
	var length [4]byte
	if err := fill(length[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > Largest {
		return nil, errCut
	}
	b := make([]byte, n)
	return b, fill(b)
}

func fill(b []byte) error {
	for len(b) > 0 {
		n, err := syscall.Read(Control, b)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return err
		case n == 0:
			return errCut
		default:
			b = b[n:]
		}
	}
	return nil
}

func fail(step int, err syscall.Errno) {
	b := []byte{Failed, 8: 0}
	binary.LittleEndian.PutUint32(b[1:], uint32(step))
	binary.LittleEndian.PutUint32(b[5:], uint32(err))
	_ = syscall.Sendmsg(Control, b, nil, nil, syscall.MSG_NOSIGNAL)
}

func do(step Step) syscall.Errno {
	n, t := step.N, step.S
	switch step.Op {
	case Join:
		return join(int(n[0]), int(n[1]))
	case Write:
		return write(t[0], t[1])
	case Private:
		return errno(syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	case Root:
		return root(t[0], t[1])
	case Dir:
		return errno(syscall.Mkdir(t[0], uint32(n[0])))
	case File:
		return file(t[0], t[1], uint32(n[0]))
	case Link:
		return errno(syscall.Symlink(t[1], t[0]))
	case Mount:
		return errno(syscall.Mount(t[0], t[1], t[0], uintptr(n[0]), t[2]))
	case Bind:
		return bind(t[0], t[1], n[0])
	case Pivot:
		return pivot()
	case Seal:
		return errno(syscall.Mount("", "/", "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY|syscall.MS_NOSUID|syscall.MS_NODEV, ""))
	case Hostname:
		return errno(syscall.Sethostname([]byte(t[0])))
	case Loopback:
		return loopback()
	case Listen:
		return listen(int(n[0]))
	case Chdir:
		return errno(syscall.Chdir(t[0]))
	}
	return confine(step)
}

// confine does the steps that take something away for good.
func confine(step Step) syscall.Errno {
	n, t := step.N, step.S
	switch step.Op {
	case Limit:
		return limit(n[0], n[1])
	case User:
		return user(uintptr(n[0]), uintptr(n[1]))
	case Bound:
		return bound()
	case Drop:
		return drop()
	case Orphan:
		return orphan()
	case Landlock:
		return landlock(n[0], n[1], n[2:], t)
	case Filter:
		return filter(t[0])
	case Exec:
		return execute(t[0], t[1:n[0]+1], t[n[0]+1:])
	case Exit:
		ready()
		syscall.Exit(0)
	}
	return syscall.ENOTSUP
}

// ready tells the parent that nothing but the program follows.
func ready() {
	_ = syscall.Sendmsg(Control, []byte{Ready}, nil, nil, syscall.MSG_NOSIGNAL)
}

func execute(path string, argv, env []string) syscall.Errno {
	ready()
	return errno(syscall.Exec(path, argv, env))
}

func errno(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if e, ok := err.(syscall.Errno); ok {
		return e
	}
	return syscall.EINVAL
}

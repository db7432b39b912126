//go:build amd64 || arm64

package sandbox

import (
	"encoding/binary"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Where struct seccomp_data has what a filter looks at; the low half of an
// argument, on machines whose low half comes first.
const (
	callOffset     = 0
	archOffset     = 4
	argumentOffset = 16
)

const (
	allow = uint32(unix.SECCOMP_RET_ALLOW)
	// anotherABI begins the numbers of x32, which would be judged as others.
	anotherABI = 0x40000000
	newSpaces  = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET
)

func failing(e unix.Errno) uint32 { return uint32(unix.SECCOMP_RET_ERRNO) | uint32(e) }

// filterProgram returns the seccomp filter of every function, as the kernel
// takes it. What is not named does not exist (ENOSYS), so that programs which
// try something new fall back to what they did before. Every rule ends in a
// verdict: none falls through to the next with something else in the register.
func filterProgram() string {
	p := program{
		bpf.LoadAbsolute{Off: archOffset, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: auditArch, SkipTrue: 1},
		bpf.RetConstant{Val: failing(unix.ENOSYS)},
		bpf.LoadAbsolute{Off: callOffset, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: anotherABI, SkipTrue: 1},
		bpf.RetConstant{Val: failing(unix.ENOSYS)},
	}
	p.clone()
	p.socket()
	p.ioctl()
	p.personality()
	for _, call := range append(allowed(), further()...) {
		p.rule(call, bpf.RetConstant{Val: allow})
	}
	for _, call := range append(refused(), refusedToo()...) {
		p.rule(call, bpf.RetConstant{Val: failing(unix.EPERM)})
	}
	p = append(p, bpf.RetConstant{Val: failing(unix.ENOSYS)})
	return p.assemble()
}

type program []bpf.Instruction

// rule is what happens to one system call.
func (p *program) rule(call uint32, then ...bpf.Instruction) {
	*p = append(*p, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: call, SkipTrue: uint8(len(then))})
	*p = append(*p, then...)
}

func argument(n uint32) bpf.Instruction {
	return bpf.LoadAbsolute{Off: argumentOffset + 8*n, Size: 4}
}

// clone makes processes and threads, but no name spaces. What clone3 is asked
// for no filter can see: C libraries use clone where there is none.
func (p *program) clone() {
	p.rule(unix.SYS_CLONE,
		argument(0),
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: newSpaces, SkipFalse: 1},
		bpf.RetConstant{Val: failing(unix.EPERM)},
		bpf.RetConstant{Val: allow})
	p.rule(unix.SYS_CLONE3, bpf.RetConstant{Val: failing(unix.ENOSYS)})
}

// socket allows those of the internet and of the machine, and netlink to look
// at interfaces; none of the protocols that the kernel is rarely tested with.
func (p *program) socket() {
	p.rule(unix.SYS_SOCKET,
		argument(0),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_UNIX, SkipTrue: 5},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET, SkipTrue: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET6, SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.AF_NETLINK, SkipTrue: 3},
		argument(2),
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.NETLINK_ROUTE, SkipTrue: 1},
		bpf.RetConstant{Val: allow},
		bpf.RetConstant{Val: failing(unix.EAFNOSUPPORT)})
}

// ioctl has everything but what puts keystrokes into terminals.
func (p *program) ioctl() {
	p.rule(unix.SYS_IOCTL,
		argument(1),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.TIOCSTI, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.TIOCLINUX, SkipTrue: 1},
		bpf.RetConstant{Val: allow},
		bpf.RetConstant{Val: failing(unix.EPERM)})
}

// personality can be asked for, and set to what it is.
func (p *program) personality() {
	p.rule(unix.SYS_PERSONALITY,
		argument(0),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0xffffffff, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1},
		bpf.RetConstant{Val: failing(unix.EPERM)},
		bpf.RetConstant{Val: allow})
}

// assemble writes the program as struct sock_filter has it. That it can be
// assembled is held by a test: nothing of it changes at run time.
func (p program) assemble() string {
	raw, err := bpf.Assemble(p)
	if err != nil {
		panic("the seccomp filter: " + err.Error())
	}
	b := make([]byte, 0, 8*len(raw))
	for _, i := range raw {
		b = binary.LittleEndian.AppendUint16(b, i.Op)
		b = append(b, i.Jt, i.Jf)
		b = binary.LittleEndian.AppendUint32(b, i.K)
	}
	return string(b)
}

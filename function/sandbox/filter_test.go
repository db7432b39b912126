//go:build linux && (amd64 || arm64)

package sandbox

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// judged runs the filter in a machine of our own. That machine has the first
// byte of a word first, so the words are given to it that way.
func judged(t *testing.T, arch, call uint32, args ...uint64) uint32 {
	t.Helper()
	text := filterProgram()
	var raw []bpf.RawInstruction
	for b := []byte(text); len(b) > 0; b = b[8:] {
		raw = append(raw, bpf.RawInstruction{Op: binary.LittleEndian.Uint16(b), Jt: b[2], Jf: b[3], K: binary.LittleEndian.Uint32(b[4:])})
	}
	program, ok := bpf.Disassemble(raw)
	if !ok {
		t.Fatal("the filter is not what a machine reads")
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 64)
	binary.BigEndian.PutUint32(data, call)
	binary.BigEndian.PutUint32(data[4:], arch)
	for i, a := range args {
		binary.BigEndian.PutUint32(data[16+8*i:], uint32(a))
		binary.BigEndian.PutUint32(data[20+8*i:], uint32(a>>32))
	}
	verdict, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(verdict)
}

func TestFilter(t *testing.T) {
	no, none, family := failing(unix.EPERM), failing(unix.ENOSYS), failing(unix.EAFNOSUPPORT)
	for _, c := range []struct {
		name string
		arch uint32
		call uint32
		args []uint64
		want uint32
	}{
		{"read", auditArch, unix.SYS_READ, nil, allow},
		{"of another machine", unix.AUDIT_ARCH_I386, unix.SYS_READ, nil, none},
		{"x32", auditArch, unix.SYS_READ | anotherABI, nil, none},
		{"beyond x32", auditArch, 0xffffffff, nil, none},
		{"unknown", auditArch, 1000, nil, none},
		{"ptrace", auditArch, unix.SYS_PTRACE, nil, no},
		{"fork", auditArch, unix.SYS_CLONE, []uint64{uint64(unix.SIGCHLD)}, allow},
		{"fork and new users", auditArch, unix.SYS_CLONE, []uint64{unix.CLONE_NEWUSER | uint64(unix.SIGCHLD)}, no},
		{"fork and new cgroups", auditArch, unix.SYS_CLONE, []uint64{unix.CLONE_NEWCGROUP}, no},
		{"internet", auditArch, unix.SYS_SOCKET, []uint64{unix.AF_INET6, 1, 0}, allow},
		{"internet with rubbish above", auditArch, unix.SYS_SOCKET, []uint64{1<<32 | unix.AF_INET, 1, 0}, allow},
		{"route netlink", auditArch, unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, 3, unix.NETLINK_ROUTE}, allow},
		{"other netlink", auditArch, unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, 3, unix.NETLINK_NETFILTER}, family},
		{"ioctl", auditArch, unix.SYS_IOCTL, []uint64{0, unix.TIOCOUTQ}, allow},
		{"keystrokes", auditArch, unix.SYS_IOCTL, []uint64{0, unix.TIOCSTI}, no},
		{"keystrokes with rubbish above", auditArch, unix.SYS_IOCTL, []uint64{0, 1<<32 | unix.TIOCSTI}, no},
		{"ask for the personality", auditArch, unix.SYS_PERSONALITY, []uint64{0xffffffff}, allow},
		{"addresses that can be guessed", auditArch, unix.SYS_PERSONALITY, []uint64{0x40000}, no},
	} {
		if got := judged(t, c.arch, c.call, c.args...); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
	for f := uint64(0); f < 64; f++ {
		want := family
		if f == unix.AF_UNIX || f == unix.AF_INET || f == unix.AF_INET6 || f == unix.AF_NETLINK {
			want = allow
		}
		if got := judged(t, auditArch, unix.SYS_SOCKET, f, 3, 0); got != want {
			t.Errorf("sockets of family %d: %#x, want %#x", f, got, want)
		}
	}
}

// TestCallsOnce: the first rule decides, so a call in two lists would be judged
// by the wrong one.
func TestCallsOnce(t *testing.T) {
	seen := map[uint32]bool{unix.SYS_CLONE: true, unix.SYS_CLONE3: true, unix.SYS_SOCKET: true, unix.SYS_IOCTL: true, unix.SYS_PERSONALITY: true}
	for _, list := range [][]uint32{allowed(), further(), refused(), refusedToo()} {
		for _, call := range list {
			if seen[call] {
				t.Errorf("%d is there twice", call)
			}
			seen[call] = true
		}
	}
}

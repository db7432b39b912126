package sandbox

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// further are those of arm64 alone.
func further() []uint32 {
	return []uint32{unix.SYS_FSTATAT, unix.SYS_MKNODAT}
}

// refusedToo are those of arm64 alone that are refused.
func refusedToo() []uint32 { return nil }

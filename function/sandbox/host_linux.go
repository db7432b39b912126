//go:build amd64 || arm64

package sandbox

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// host is what there is to know of the machine and of this process, once.
type host struct {
	uid, gid    int
	oomScore    int
	landlock    int
	authorities string
	masked      []maskedPath
	devNull     *os.File
}

// maskedPath is one of /proc that functions have no business with.
type maskedPath struct {
	name   string
	folder bool
}

// way is one of several ways to start a process, from best to worst.
type way struct {
	users bool // in a user namespace of its own
	proc  bool // with /proc
}

// leastOOMScore is how much rather the kernel ends a function than the gateway
// where the machine is out of memory.
const leastOOMScore = 500

func newHost() (*host, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	h := &host{uid: os.Geteuid(), gid: os.Getegid(), oomScore: leastOOMScore, landlock: landlockVersion(), devNull: null}
	if own, err := strconv.Atoi(readWord("/proc/self/oom_score_adj")); err == nil {
		h.oomScore = max(own, leastOOMScore) // to lower it takes a capability
	}
	for _, path := range []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"} {
		if unix.Access(path, unix.R_OK) == nil {
			h.authorities = path
			break
		}
	}
	h.mask()
	return h, nil
}

// mask finds what everybody may read of /proc, and functions have no business
// with. The rest is read-only, and what root alone may read is closed anyway.
func (h *host) mask() {
	for _, name := range []string{
		"acpi", "asound", "scsi", "cmdline", "interrupts", "key-users", "keys", "latency_stats", "locks", "modules", "sched_debug", "timer_list", "timer_stats",
	} {
		if info, err := os.Stat("/proc/" + name); err == nil && info.Mode()&0o004 != 0 {
			h.masked = append(h.masked, maskedPath{name, info.IsDir()})
		}
	}
}

func readWord(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

package acme

import (
	"os/exec"
	"syscall"
)

// apart makes a program the head of a process group, all of which ends with it
// where its time is up.
func apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

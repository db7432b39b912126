package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

func traceme([]string) (string, error) {
	_, _, e := syscall.Syscall(syscall.SYS_PTRACE, syscall.PTRACE_TRACEME, 0, 0)
	return said("traced", e)
}

// attach traces a child of its own.
func attach([]string) (string, error) {
	cmd := exec.Command("/proc/self/exe", "sleep")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	defer func() { _ = cmd.Process.Kill() }()
	return "traced", syscall.PtraceAttach(cmd.Process.Pid)
}

func mount(args []string) (string, error) {
	return "mounted", syscall.Mount(args[0], args[1], args[0], 0, args[2])
}

func mknod(args []string) (string, error) {
	const memory = 1<<8 | 1 // /dev/mem
	return "made", syscall.Mknod(args[0], syscall.S_IFCHR|0o600, memory)
}

// space starts a process in new name spaces.
func space(args []string) (string, error) {
	flags, err := strconv.ParseUint(args[0], 0, 64)
	if err != nil {
		return "", err
	}
	cmd := exec.Command("/proc/self/exe", "hello")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: uintptr(flags)}
	out, err := cmd.Output()
	return string(out), err
}

func socket(args []string) (string, error) {
	n := make([]int, 3)
	for i := range n {
		var err error
		if n[i], err = strconv.Atoi(args[i]); err != nil {
			return "", err
		}
	}
	_, err := syscall.Socket(n[0], n[1], n[2])
	return "opened", err
}

// calls makes system calls with arguments that lead nowhere, and says what each
// answers.
func calls(args []string) (string, error) {
	const nowhere = ^uintptr(0)
	var out []string
	for _, word := range strings.Split(args[0], ",") {
		number, err := strconv.Atoi(word)
		if err != nil {
			return "", err
		}
		_, _, e := syscall.RawSyscall6(uintptr(number), nowhere, nowhere, nowhere, nowhere, nowhere, nowhere)
		out = append(out, word+"="+strings.ReplaceAll(e.Error(), " ", "_"))
	}
	return strings.Join(out, " "), nil
}

func said(text string, e syscall.Errno) (string, error) {
	if e != 0 {
		return "", fmt.Errorf("%w", e)
	}
	return text, nil
}

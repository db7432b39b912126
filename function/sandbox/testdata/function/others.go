package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// environ looks for a word in the environments of all processes.
func environ(args []string) (string, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return "", err
	}
	for _, path := range paths {
		if text, _ := os.ReadFile(path); strings.Contains(string(text), args[0]) {
			return "found", nil
		}
	}
	return "", fmt.Errorf("%w of %d", errNone, len(paths))
}

func signal(args []string) (string, error) {
	pid, err := strconv.Atoi(args[0])
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return "", err
	}
	return "signalled", syscall.Kill(pid, syscall.Signal(n))
}

func dial(args []string) (string, error) {
	conn, err := net.DialTimeout(args[0], args[1], 5*time.Second)
	if err != nil {
		return "", err
	}
	return "connected", conn.Close()
}

// serve listens where it is told, and leaves a file, until it is ended.
func serve(args []string) (string, error) {
	if _, err := net.Listen(args[0], args[1]); err != nil {
		return "", err
	}
	if err := os.WriteFile("/tmp/left", []byte("secret"), 0o666); err != nil {
		return "", err
	}
	if _, err := segment([]string{"4711", "create"}); err != nil {
		return "", err
	}
	return sleep(nil)
}

// segment finds shared memory by its key, or makes it.
func segment(args []string) (string, error) {
	key, err := strconv.Atoi(args[0])
	if err != nil {
		return "", err
	}
	flags := 0o666
	if args[1] != "" {
		flags |= 0o1000
	}
	id, _, e := syscall.Syscall(syscall.SYS_SHMGET, uintptr(key), 4096, uintptr(flags))
	if e != 0 {
		return "", e
	}
	if args[1] == "remove" {
		_, _, _ = syscall.Syscall(syscall.SYS_SHMCTL, id, 0, 0)
	}
	return "found", nil
}

// daemon starts a process that has nothing to do with it any more, as far as it
// can, says its number, and waits.
func daemon([]string) (string, error) {
	cmd := exec.Command("/proc/self/exe", "sleep")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	if !bufio.NewScanner(out).Scan() {
		return "", errNone
	}
	fmt.Println(cmd.Process.Pid)
	return sleep(nil)
}

package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func hello([]string) (string, error) { return "hello", nil }

func sleep([]string) (string, error) {
	fmt.Println("asleep")
	time.Sleep(time.Hour)
	return "awake", nil
}

// call says what the parent's listener answers.
func call([]string) (string, error) {
	conn, err := net.Dial("tcp", "127.0.0.1:9001")
	if err != nil {
		return "", err
	}
	b := make([]byte, 64)
	n, err := conn.Read(b)
	return string(b[:n]), err
}

// echo answers each line of its parent's.
func echo([]string) (string, error) {
	conn, err := net.Dial("tcp", "127.0.0.1:9001")
	if err != nil {
		return "", err
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if _, err := fmt.Fprintln(conn, lines.Text()); err != nil {
			return "", err
		}
	}
	return "ended", nil
}

// status says what the kernel says of this process.
func status([]string) (string, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", err
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp":
			out = append(out, name+"="+strings.Join(strings.Fields(value), ","))
		}
	}
	return strings.Join(out, " "), nil
}

func environment([]string) (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", err
	}
	folder, err := os.Getwd()
	mask := syscall.Umask(0)
	return fmt.Sprintf("%s host=%s pid=%d in=%s umask=%03o", strings.Join(os.Environ(), " "), host, os.Getpid(), folder, mask), err
}

// descriptors says which are open; the runtime's own epoll is not yet.
func descriptors([]string) (string, error) {
	var open []string
	for fd := range 4096 {
		if _, _, e := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0); e == 0 {
			open = append(open, strconv.Itoa(fd))
		}
	}
	return strings.Join(open, " "), nil
}

func list(args []string) (string, error) {
	entries, err := os.ReadDir(args[0])
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " "), err
}

func read(args []string) (string, error) {
	text, err := os.ReadFile(args[0])
	return strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "; "), err
}

func write(args []string) (string, error) {
	f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(args[1])
	return "written", err
}

func execute(args []string) (string, error) {
	out, err := exec.Command(args[0], args[1]).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func whoami([]string) (string, error) {
	return fmt.Sprintf("uid=%d euid=%d gid=%d", os.Getuid(), os.Geteuid(), os.Getgid()), nil
}

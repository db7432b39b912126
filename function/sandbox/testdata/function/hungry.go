package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// bomb starts processes until it cannot, or has as many as it is told.
func bomb(args []string) (string, error) {
	most, err := strconv.Atoi(args[0])
	if err != nil {
		return "", err
	}
	for i := range most {
		cmd := exec.Command("/proc/self/exe", "sleep")
		if args[1] != "" { // ended with this process, outside of a sandbox
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		}
		if err := cmd.Start(); err != nil {
			return "", fmt.Errorf("after %d: %w", i, err)
		}
	}
	return fmt.Sprintf("%d processes", most), nil
}

// hog uses as many MiB of memory as it is told.
func hog(args []string) (string, error) { return take(args[0], true) }

// reserve takes them without use.
func reserve(args []string) (string, error) { return take(args[0], false) }

func take(amount string, use bool) (string, error) {
	most, err := strconv.Atoi(amount)
	if err != nil {
		return "", err
	}
	const step = 4
	for taken := 0; taken < most; taken += step {
		b, err := syscall.Mmap(-1, 0, step<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
		if err != nil {
			return "", fmt.Errorf("after %d MiB: %w", taken, err)
		}
		for i := 0; use && i < len(b); i += 4096 {
			b[i] = 1
		}
	}
	return fmt.Sprintf("%d MiB", most), nil
}

// fill writes as many MiB into a folder as it is told.
func fill(args []string) (string, error) {
	most, err := strconv.Atoi(args[1])
	if err != nil {
		return "", err
	}
	f, err := os.Create(args[0] + "/filled")
	if err != nil {
		return "", err
	}
	b := []byte(strings.Repeat("x", 1<<20))
	for i := range most {
		if _, err := f.Write(b); err != nil {
			return "", fmt.Errorf("after %d MiB: %w", i, err)
		}
	}
	return fmt.Sprintf("%d MiB", most), nil
}

// litter makes as many empty files as it is told.
func litter(args []string) (string, error) {
	most, err := strconv.Atoi(args[1])
	if err != nil {
		return "", err
	}
	for i := range most {
		f, err := os.Create(args[0] + "/" + strconv.Itoa(i))
		if err != nil {
			return "", fmt.Errorf("after %d files: %w", i, err)
		}
		_ = f.Close()
	}
	return fmt.Sprintf("%d files", most), nil
}

// burn uses a processor for a while, and says how long that was.
func burn(args []string) (string, error) {
	d, err := time.ParseDuration(args[0])
	if err != nil {
		return "", err
	}
	begun := time.Now()
	for time.Since(begun) < d {
	}
	return time.Since(begun).String(), nil
}

var errNone = errors.New("none")

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// backendCommand is the argument that makes this program the backend.
const backendCommand = "backend"

// service is the backend in a process of its own, on the core of the load.
type service struct {
	cmd   *exec.Cmd
	input io.Closer
	at    string
}

// spawnBackend starts this program once more, as the backend.
func spawnBackend() (*service, error) {
	s := &service{cmd: exec.Command("/proc/self/exe", backendCommand)}
	s.cmd.Stderr = os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is not for it
	input, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.input = input
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		s.close()
		return nil, errors.Join(errors.New("the backend did not start"), err)
	}
	s.at = strings.TrimSpace(line)
	return s, nil
}

func (s *service) address() string { return s.at }

func (s *service) close() {
	s.input.Close()
	s.cmd.Wait()
}

// beBackend says its address and serves until its input ends, which it does
// when the program that started it does.
func beBackend() error {
	b, err := newBackend()
	if err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		b.close()
		os.Exit(0)
	}()
	fmt.Println(b.address())
	return b.serve()
}

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a running proxy.
type process struct {
	cmd    *exec.Cmd
	core   int
	output string // the file with what it said
	ended  chan struct{}
}

// launch starts a proxy on its core. Its standard output goes to stdout where
// that is a file name; everything else it says goes to its own file.
func launch(o options, dir, stdout string, env, argv []string) (*process, error) {
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), core: o.proxyCPU, output: filepath.Join(dir, "output.txt"), ended: make(chan struct{})}
	out, err := os.Create(p.output)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is ours to pass on
	if stdout != "" {
		log, err := os.Create(stdout)
		if err != nil {
			return nil, err
		}
		defer log.Close()
		p.cmd.Stdout = log
	}
	if err := onCore(o.proxyCPU, o.loadCPU, p.cmd.Start); err != nil {
		return nil, err
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) usage() (usage, error) {
	u, err := usageOfTree(p.cmd.Process.Pid)
	if err != nil {
		return u, err
	}
	u.core, err = coreTime(p.core)
	return u, err
}

// stop asks the process to end and, after a while, makes it.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return
	case <-time.After(5 * time.Second):
	}
	p.cmd.Process.Kill()
	<-p.ended
}

// waitAccepting returns once the address takes connections.
func (p *process) waitAccepting(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("it ended at once, saying: %s", p.said())
		case <-ctx.Done():
			return fmt.Errorf("it did not listen on %s in time: %s", address, p.said())
		case <-time.After(time.Millisecond):
		}
	}
}

// said returns the end of what the process wrote.
func (p *process) said() string {
	data, err := os.ReadFile(p.output)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-2000):])
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

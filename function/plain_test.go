package function

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// plain is a Launcher that isolates nothing: what runs under it is ours.
type plain struct{ started atomic.Int32 }

type plainProcess struct {
	cmd      *exec.Cmd
	listener net.Listener
	out, err io.ReadCloser
	done     chan struct{}
}

func (l *plain) Start(_ context.Context, s Spec) (Process, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	within := func(path string) string {
		for from, to := range map[string]string{taskPath: s.Code, runtimePath: s.Runtime, layersPath: s.Layers} {
			if rest, ok := strings.CutPrefix(path, from+"/"); ok && to != "" {
				return filepath.Join(to, rest)
			}
		}
		return path
	}
	args := make([]string, len(s.Args))
	for i, a := range s.Args {
		args[i] = within(a)
	}
	p := &plainProcess{cmd: exec.Command(within(s.Command), args...), listener: listener, done: make(chan struct{})}
	for _, e := range s.Env {
		switch name, value, _ := strings.Cut(e, "="); name {
		case "AWS_LAMBDA_RUNTIME_API":
			e = name + "=" + listener.Addr().String()
		case "LAMBDA_TASK_ROOT":
			e = name + "=" + s.Code
		case "LD_LIBRARY_PATH":
			e = name + "=" + value
		}
		p.cmd.Env = append(p.cmd.Env, e)
	}
	p.cmd.Dir = s.Code
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	errRead, errWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.out, p.err, p.cmd.Stdout, p.cmd.Stderr = outRead, errRead, outWrite, errWrite
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	_ = outWrite.Close()
	_ = errWrite.Close()
	l.started.Add(1)
	go func() {
		_ = p.cmd.Wait()
		_ = listener.Close()
		close(p.done)
	}()
	return p, nil
}

func (p *plainProcess) Listener() net.Listener                 { return p.listener }
func (p *plainProcess) Output() (stdout, stderr io.ReadCloser) { return p.out, p.err }
func (p *plainProcess) Done() <-chan struct{}                  { return p.done }
func (p *plainProcess) Peak() int64                            { return 12 << 20 }
func (p *plainProcess) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

func (p *plainProcess) Exit() string {
	<-p.done
	return p.cmd.ProcessState.String()
}

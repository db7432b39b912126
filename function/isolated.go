package function

import (
	"context"
	"io"
	"net"

	"gatehouse/function/sandbox"
)

// processes is how many processes and threads one process of a function may have.
const processes = 1024

// Isolated returns a Launcher that keeps processes apart by a sandbox.
func Isolated(s *sandbox.Sandbox) Launcher { return isolated{s} }

type isolated struct{ sandbox *sandbox.Sandbox }

// Start implements Launcher.
func (l isolated) Start(ctx context.Context, s Spec) (Process, error) {
	p, err := l.sandbox.Start(ctx, sandbox.Spec{
		Command: s.Command, Args: s.Args, Env: s.Env, Code: s.Code, Layers: s.Layers, Runtime: s.Runtime, Trees: s.Trees,
		Memory: s.Memory, Tmp: s.Tmp, CPU: s.CPU, Processes: processes, Listen: true,
	})
	if err != nil {
		return nil, err
	}
	return sandboxed{p}, nil
}

type sandboxed struct{ process *sandbox.Process }

func (p sandboxed) Listener() net.Listener { return p.process.Listener }
func (p sandboxed) Output() (stdout, stderr io.ReadCloser) {
	return p.process.Stdout, p.process.Stderr
}
func (p sandboxed) Kill()                 { p.process.Kill() }
func (p sandboxed) Done() <-chan struct{} { return p.process.Done() }
func (p sandboxed) Exit() string          { return p.process.Wait().String() }
func (p sandboxed) Peak() int64           { return p.process.Peak() }

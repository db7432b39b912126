//go:build !linux || !(amd64 || arm64)

package sandbox

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
)

var errSystem = errors.New("functions need Linux on amd64 or arm64: nothing else keeps them apart")

// Sandbox starts processes of functions.
type Sandbox struct{}

// New fails: there is nothing to keep functions apart with.
func New(Config, *slog.Logger) (*Sandbox, Level, error) { return nil, Level{}, errSystem }

// Start fails.
func (*Sandbox) Start(context.Context, Spec) (*Process, error) { return nil, errSystem }

// Close does nothing.
func (*Sandbox) Close() error { return nil }

// Process is a function's process.
type Process struct {
	Listener net.Listener
	Stdout   io.ReadCloser
	Stderr   io.ReadCloser
}

// Done is closed once the process has ended.
func (*Process) Done() <-chan struct{} { return nil }

// Wait waits for the end.
func (*Process) Wait() Exit { return Exit{} }

// Kill ends the process.
func (*Process) Kill() Exit { return Exit{} }

// Peak returns the most memory that was used.
func (*Process) Peak() int64 { return 0 }

// Freeze stops the process.
func (*Process) Freeze() error { return errSystem }

// Thaw lets it go on.
func (*Process) Thaw() error { return errSystem }

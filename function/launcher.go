package function

import (
	"context"
	"io"
	"net"
)

// Launcher starts the processes of functions, each kept apart from all else. It
// is safe for concurrent use.
type Launcher interface {
	// Start starts a process that is to end with Kill. ctx bounds the start
	// alone.
	Start(ctx context.Context, s Spec) (Process, error)
}

// Spec is one process to start. Its folders can only be read.
type Spec struct {
	Command string   // a path within
	Args    []string // those after the command
	Env     []string // NAME=VALUE; nothing else is in the environment
	Code    string   // the folder that is /var/task
	Layers  string   // the folder that is /opt; may be empty
	Runtime string   // the folder that is /var/runtime; may be empty
	Trees   []string // further folders and files, at their own paths

	Memory int64   // bytes
	Tmp    int64   // bytes of /tmp
	CPU    float64 // processors
}

// Process is a process that was started.
type Process interface {
	// Listener takes what the process connects to at 127.0.0.1:9001.
	Listener() net.Listener
	// Output returns what it writes, until it ends.
	Output() (stdout, stderr io.ReadCloser)
	// Kill ends it and all that came of it, and waits for that.
	Kill()
	// Done is closed once it has ended.
	Done() <-chan struct{}
	// Exit says how it ended, in words: "exit status 1". It waits for the end.
	Exit() string
	// Peak returns the most memory in bytes that it has used.
	Peak() int64
}

// apiAddress is where a process finds the Runtime API.
const apiAddress = "127.0.0.1:9001"

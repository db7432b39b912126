package sandbox

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"syscall"
	"time"
)

// Port is where a process finds what its parent serves: 127.0.0.1:9001, as on
// Lambda.
const Port = 9001

// Where the folders of a Spec are within.
const (
	CodePath    = "/var/task"
	LayersPath  = "/opt"
	RuntimePath = "/var/runtime"
)

// The bounds of a Spec.
const (
	LeastMemory    = 16 << 20
	LeastTmp       = 1 << 20
	LeastProcesses = 16
	largestWords   = 128 << 10 // of arguments and environment
)

// Spec is one process to start. Folders and Trees are paths of the gateway's
// own root; a process can only read them.
type Spec struct {
	Command string   // a path within, such as /var/task/bootstrap
	Args    []string // those after the command
	Env     []string // NAME=VALUE; nothing else is in the environment
	Code    string   // the folder that is /var/task, where the process begins
	Layers  string   // the folder that is /opt; may be empty
	Runtime string   // the folder that is /var/runtime; may be empty
	Trees   []string // further folders and files, such as /usr, at their own paths

	Memory    int64   // bytes, for all its processes together, besides what lies in /tmp; at least 16 MiB
	Tmp       int64   // bytes that /tmp takes, which is memory; at least 1 MiB
	CPU       float64 // processors; 0 for as much as there is
	Processes int     // and threads, all together; at least 16
	Listen    bool    // whether the Process is to have a Listener on 127.0.0.1:9001 within
}

func (s *Spec) check() error {
	switch {
	case !path.IsAbs(s.Command):
		return fmt.Errorf("the command of a function must be a path from the root within: %q", s.Command)
	case s.Code == "":
		return errors.New("a function without a folder of code")
	case s.Memory < LeastMemory:
		return fmt.Errorf("memory of %d bytes: a function needs at least 16 MiB", s.Memory)
	case s.Tmp < LeastTmp:
		return fmt.Errorf("tmp of %d bytes: a function needs at least 1 MiB", s.Tmp)
	case s.Processes < LeastProcesses:
		return fmt.Errorf("%d processes: a function needs at least %d, threads counted", s.Processes, LeastProcesses)
	case s.CPU < 0 || s.CPU != 0 && s.CPU < 0.01:
		return fmt.Errorf("CPU of %v: at least 0.01, or 0 for no limit", s.CPU)
	}
	for _, tree := range s.Trees {
		if !path.IsAbs(tree) || path.Clean(tree) != tree || taken(tree) {
			return fmt.Errorf("the tree %q: a path from the root is needed that is none of the sandbox's own", tree)
		}
	}
	return s.checkWords()
}

// taken reports whether a path is one that the sandbox makes itself.
func taken(tree string) bool {
	if tree == "/" {
		return true
	}
	for _, own := range []string{"/dev", "/proc", "/tmp", "/sys", CodePath, LayersPath, RuntimePath} {
		if tree == own || strings.HasPrefix(tree, own+"/") || strings.HasPrefix(own, tree+"/") {
			return true
		}
	}
	return false
}

func (s *Spec) checkWords() error {
	size := 0
	for _, words := range [][]string{{s.Command}, s.Args, s.Env} {
		for _, word := range words {
			size += len(word) + 1
			if strings.IndexByte(word, 0) >= 0 {
				return errors.New("a NUL in the arguments or the environment of a function")
			}
		}
	}
	if size > largestWords {
		return fmt.Errorf("arguments and environment of a function come to %d bytes: at most %d", size, largestWords)
	}
	return nil
}

// Exit is how a process has ended.
type Exit struct {
	Code        int            // -1 where a signal ended it
	Signal      syscall.Signal // 0 where none did
	OutOfMemory bool           // the kernel ended it, or a child of it, at its limit of memory
	CPU         time.Duration  // of the process and the children that it waited for
	Peak        int64          // bytes of memory, see Process.Peak
}

func (e Exit) String() string {
	switch {
	case e.OutOfMemory:
		return "out of memory"
	case e.Signal != 0:
		return "signal: " + e.Signal.String()
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

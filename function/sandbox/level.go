package sandbox

import (
	"fmt"
	"strings"
)

// Grade is how well functions are kept apart, from worst to best.
type Grade int

const (
	// None: there is no way to keep them apart. Nothing is started.
	None Grade = iota
	// Namespaces: neither sees, signals or reaches anything else; but only
	// rlimits, which count each process by itself, keep it from taking all
	// memory and CPU.
	Namespaces
	// Full: what it may use of memory, CPU and processes is limited for all of
	// its processes together.
	Full
)

func (g Grade) String() string {
	switch g {
	case Namespaces:
		return "namespaces"
	case Full:
		return "full"
	}
	return "none"
}

func gradeOf(name string) Grade {
	if name == "namespaces" {
		return Namespaces
	}
	return Full
}

// Layer is one of the walls around a function.
type Layer struct {
	Name string
	Here bool
	Why  string // it is not here
	Cure string // what brings it about; may be empty
}

// Level is what this machine allows, as it was found by trying.
type Level struct {
	Grade  Grade
	Layers []Layer
}

// String is for the log: "full", with the layers that are missing.
func (l Level) String() string {
	missing := l.missing()
	if len(missing) == 0 {
		return l.Grade.String()
	}
	return l.Grade.String() + "; without " + strings.Join(missing, "; ")
}

func (l Level) missing() []string {
	var out []string
	for _, layer := range l.Layers {
		if layer.Here {
			continue
		}
		text := layer.Name + ": " + layer.Why
		if layer.Cure != "" {
			text += " (" + layer.Cure + ")"
		}
		out = append(out, text)
	}
	return out
}

// Weak is the error of a machine that does not allow what the configuration
// asks for.
type Weak struct {
	Level   Level
	Minimum Grade
}

func (e *Weak) Error() string {
	text := fmt.Sprintf("functions cannot be kept apart as well as isolation.minimum asks for (%s): this machine allows %s", e.Minimum, e.Level)
	if e.Level.Grade == Namespaces {
		text += ". To start them with less, say isolation: {minimum: namespaces}"
	}
	return text
}

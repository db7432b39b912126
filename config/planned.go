package config

import (
	"fmt"
	"strings"
)

// planned returns what the key at the end of a path will stand for, of those
// that Options.Planned knows; "" for any other.
func (o *Options) planned(at *step) string {
	for pattern, what := range o.Planned {
		if at.fits(strings.Split(pattern, ".")) {
			return what
		}
	}
	return ""
}

// fits reports whether the way to a key is that of a pattern: a key for each of
// its parts, any key for "*". Items of lists do not count.
func (s *step) fits(pattern []string) bool {
	switch {
	case s == nil:
		return len(pattern) == 0
	case s.index >= 0:
		return s.up.fits(pattern)
	case len(pattern) == 0:
		return false
	}
	last := len(pattern) - 1
	return (pattern[last] == "*" || pattern[last] == s.key) && s.up.fits(pattern[:last])
}

// notYet is the problem of a key that is planned.
func notYet(at Pos, path *step, what string) Problem {
	return Problem{
		Pos: at, Path: path.String(),
		Message: fmt.Sprintf("this version has no %q yet", path.key),
		Hint:    "remove the key: " + what + " come with a later version",
	}
}

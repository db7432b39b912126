package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Pos     Pos    `json:"pos"`
	Path    string `json:"path,omitempty"` // the way to the value: apis.shop.routes[2].target
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // the cure: "did you mean ...?"
	Line    string `json:"line,omitempty"` // the line itself, with secrets as they stand in the file only if they are references

	caret int // the column of Pos in Line, from 0
}

// Report collects every problem of one configuration, so that an operator
// mends them in one go. The zero Report is ready for use. It is not safe for
// concurrent use.
type Report struct {
	problems []Problem
	found    int // counts on where problems end
}

// maxProblems is how many problems are told: who has more is helped by the
// first of them.
const maxProblems = 1_000

// Add adds a problem. Beyond the first thousand it says only that there are
// more.
func (r *Report) Add(p Problem) {
	r.found++
	switch {
	case r.found == maxProblems+1:
		r.problems = append(r.problems, Problem{Pos: p.Pos, Message: fmt.Sprintf("more than %d problems: the rest is not told", maxProblems)})
	case r.found <= maxProblems:
		r.problems = append(r.problems, p)
	}
}

// Errorf adds a problem at a place.
func (r *Report) Errorf(at Pos, format string, args ...any) {
	r.Add(Problem{Pos: at, Message: fmt.Sprintf(format, args...)})
}

// Unknown adds a problem for a name that should have been one of known, with
// a "did you mean" where one is near. What says what the name stands for:
// "service", "authorizer".
func (r *Report) Unknown(at Pos, what, name string, known []string) {
	r.Add(Problem{Pos: at, Message: fmt.Sprintf("unknown %s %q", what, name), Hint: suggestion(name, known)})
}

// suggestion returns the known name that was meant, or all of them where they
// are few.
func suggestion(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(known) > 0 && len(known) <= 8 {
		return "known: " + strings.Join(known, ", ")
	}
	return ""
}

// Problems returns what was collected, in the order in which it was found.
func (r *Report) Problems() []Problem { return r.problems }

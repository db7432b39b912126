package config

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"gatehouse/config/tree"
)

// Errors is everything that is wrong with a configuration.
type Errors struct {
	problems []Problem
}

// NewErrors returns what r collected as an *Errors: sorted by place, each
// problem once, each with the line that it is about as s read it, and none with
// a character that a terminal would obey. It returns nil where r has no problem.
// S may be nil.
func NewErrors(r *Report, s *Sources) error {
	if len(r.problems) == 0 {
		return nil
	}
	problems := slices.Clone(r.problems)
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
	})
	type said struct {
		pos     Pos
		message string
	}
	seen := make(map[said]bool)
	problems = slices.DeleteFunc(problems, func(p Problem) bool {
		again := seen[said{p.Pos, p.Message}]
		seen[said{p.Pos, p.Message}] = true
		return again
	})
	for i := range problems {
		p := &problems[i]
		if s != nil {
			p.Message, p.Hint = s.scrub(p.Message, p.Pos), s.scrub(p.Hint, p.Pos)
			s.echo(p)
		}
		p.Message, p.Hint = tree.Visible(p.Message), tree.Visible(p.Hint)
	}
	return &Errors{problems}
}

// AsErrors returns the *Errors in err's tree, or nil.
func AsErrors(err error) *Errors {
	e, _ := errors.AsType[*Errors](err)
	return e
}

// Problems returns the problems, sorted by file, line and column.
func (e *Errors) Problems() []Problem { return e.problems }

// Error prints every problem: where and what, the line with a caret below it,
// the cure.
func (e *Errors) Error() string {
	var b strings.Builder
	for i := range e.problems {
		e.problems[i].print(&b)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (p *Problem) print(b *strings.Builder) {
	if p.Pos.IsValid() {
		b.WriteString(p.Pos.String() + ": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message + "\n")
	if strings.TrimSpace(p.Line) != "" {
		b.WriteString("    " + p.Line + "\n    " + p.indent() + "^\n")
	}
	if p.Hint != "" {
		b.WriteString("  hint: " + p.Hint + "\n")
	}
}

// indent returns what puts the caret below its character: tabs stay tabs.
func (p *Problem) indent() string {
	indent := make([]rune, 0, p.caret)
	for _, r := range p.Line {
		if len(indent) == p.caret {
			break
		}
		if r != '\t' {
			r = ' '
		}
		indent = append(indent, r)
	}
	return string(indent)
}

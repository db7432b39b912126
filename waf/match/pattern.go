package match

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"gatehouse/config"
)

// RegexSet is the name of a set of regular expressions, of which one must match.
type RegexSet struct{ Name string }

// MaxPattern is how long a regular expression may be. AWS's may have 512 bytes.
const MaxPattern = 1024

// CompilePattern compiles a regular expression as statements have them.
func CompilePattern(s string) (*regexp.Regexp, error) {
	if s == "" {
		return nil, errors.New("the empty regular expression matches everything")
	}
	if len(s) > MaxPattern {
		return nil, fmt.Errorf("a regular expression of %d bytes is longer than the %d that it may have", len(s), MaxPattern)
	}
	p, err := regexp.Compile(s)
	if err == nil {
		return p, nil
	}
	why := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	if strings.Contains(s, "(?=") || strings.Contains(s, "(?!") || strings.Contains(s, "(?<") {
		why += ": expressions that look ahead or behind take unbounded time; write all: with two statements, or not:"
	}
	return nil, errors.New(why)
}

type patterns []*regexp.Regexp

func (t *RegexSet) compile(c *Compiler, at config.Pos) tester {
	set, ok := c.Scope.Patterns[t.Name]
	if !ok {
		c.unknown(at, "regex set", t.Name, sorted(c.Scope.Patterns))
	}
	return patterns(set)
}

func (patterns) what() string { return "matches" }

func (t patterns) test(s string) (at, n int, ok bool) {
	for _, p := range t {
		if loc := p.FindStringIndex(s); loc != nil {
			return loc[0], loc[1] - loc[0], true
		}
	}
	return 0, 0, false
}

// Regexes are regular expressions of which one must match.
type Regexes struct{ Patterns []string }

func (t *Regexes) compile(c *Compiler, at config.Pos) tester {
	var out patterns
	for _, s := range t.Patterns {
		p, err := CompilePattern(s)
		if err != nil {
			c.errorf(at, "%v", err)
			continue
		}
		out = append(out, p)
	}
	return out
}

package match

import (
	"strings"

	"gatehouse/config"
)

// Position is where in a text a string is looked for, in AWS's words.
type Position uint8

// The positions.
const (
	Exactly Position = iota
	StartsWith
	EndsWith
	Contains
	ContainsWord
)

var positions = [...]string{"equals", "starts-with", "ends-with", "contains", "contains-word"}

// String returns the name that the configuration writes.
func (p Position) String() string { return positions[p] }

// Bytes is one of several strings at a position.
type Bytes struct {
	Position Position
	Strings  []string
}

// MaxString is how long a string that is looked for may be. AWS's may have 200
// bytes.
const MaxString = 8 << 10

func (t *Bytes) compile(c *Compiler, at config.Pos) tester {
	for _, s := range t.Strings {
		switch {
		case len(s) > MaxString:
			c.errorf(at, "a string of %d bytes is longer than the %d that may be looked for", len(s), MaxString)
		case s == "" && t.Position != Exactly:
			c.errorf(at, "every text holds the empty string: write what to look for")
		case t.Position == ContainsWord && !isWord(s):
			c.errorf(at, "a word has letters, digits and _ alone: write contains for %q", s)
		}
	}
	return t
}

func (t *Bytes) what() string { return t.Position.String() }

func (t *Bytes) test(s string) (at, n int, ok bool) {
	for _, want := range t.Strings {
		if at := find(t.Position, s, want); at >= 0 {
			return at, len(want), true
		}
	}
	return 0, 0, false
}

// find returns where want stands in s; -1 where it does not stand as p says.
func find(p Position, s, want string) int {
	switch p {
	case Exactly:
		if s == want {
			return 0
		}
	case StartsWith:
		if strings.HasPrefix(s, want) {
			return 0
		}
	case EndsWith:
		if strings.HasSuffix(s, want) {
			return len(s) - len(want)
		}
	case Contains:
		return strings.Index(s, want)
	case ContainsWord:
		return findWord(s, want)
	}
	return -1
}

// findWord finds want with no letter, digit or _ on either side.
func findWord(s, want string) int {
	for from := 0; ; {
		i := strings.Index(s[from:], want)
		if i < 0 {
			return -1
		}
		at := from + i
		end := at + len(want)
		if (at == 0 || !isWordByte(s[at-1])) && (end == len(s) || !isWordByte(s[end])) {
			return at
		}
		from = at + 1
	}
}

func isWord(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isWordByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// Package tree reads the text of one YAML file into values that know their
// places: strictly, and bounded in what a file can cost. It also echoes the
// lines of the file, with the secrets in them hidden.
package tree

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// Pos is a place in a configuration file. Lines and columns count from 1; the
// zero Pos stands for what no file says: a default, or a value from a flag.
type Pos struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// IsValid reports whether p names a place.
func (p Pos) IsValid() bool { return p.Line > 0 }

// String prints p as FILE:LINE:COLUMN, or "(default)" for the zero Pos.
func (p Pos) String() string {
	if !p.IsValid() {
		return "(default)"
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Kind is the shape of a value.
type Kind uint8

// The shapes.
const (
	Null Kind = iota
	Scalar
	List
	Map
)

func (k Kind) String() string {
	return [...]string{"nothing", "a single value", "a list", "a map"}[k]
}

// Value is one node of a file. Aliases share the Value of their anchor, so that
// a file of n nodes never takes more than n Values, however often its aliases
// repeat them: whoever walks a tree counts what repeats.
type Value struct {
	Kind    Kind
	Text    string // a scalar's text as it stands in the file, quotes and escapes undone
	Plain   bool   // a scalar without quotes, which may be a number or a bool
	Pos     Pos
	File    *File
	Entries []Entry  // of a map, in the order of the file
	Items   []*Value // of a list

	last *token.Token // the last token of a scalar: what follows it ends the scalar
}

// Entry is one key of a map.
type Entry struct {
	Key   string
	Pos   Pos
	Value *Value
}

// Find returns the entry of key, or nil.
func (v *Value) Find(key string) *Entry {
	for i := range v.Entries {
		if v.Entries[i].Key == key {
			return &v.Entries[i]
		}
	}
	return nil
}

// Problem is one thing that is wrong with a file as YAML.
type Problem struct {
	Pos           Pos
	Message, Hint string
}

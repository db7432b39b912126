package config

import "gatehouse/config/tree"

// Pos is a place in a configuration file. Lines and columns count from 1; the
// zero Pos stands for what no file says: a default, or a value from a flag.
type Pos = tree.Pos

// At is where a section stands. A struct that embeds At gets it filled in by
// the decoder: the section's own place and that of each of its keys.
type At struct {
	Pos  Pos
	keys map[string]Pos
}

// Of returns the place of the section's key, or the section's own place where
// the key was not written.
func (a At) Of(key string) Pos {
	if p, ok := a.keys[key]; ok {
		return p
	}
	return a.Pos
}

// Has reports whether the section says key itself.
func (a At) Has(key string) bool {
	_, ok := a.keys[key]
	return ok
}

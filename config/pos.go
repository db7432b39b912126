package config

import "gatehouse/config/tree"

// Pos is a place in a configuration file. Lines and columns count from 1; the
// zero Pos stands for what no file says: a default, or a value from a flag.
type Pos = tree.Pos

// At is where a section stands. A struct that embeds At gets it filled in by
// the decoder: the section's own place and that of each of its keys. It is zero
// where no file says the section, and in the root of a configuration that was
// not read to its end.
type At struct {
	Pos  Pos
	keys map[string]keyState
}

// keyState is where a key stands, if anywhere, and whether what it says could
// not be read.
type keyState struct {
	pos    Pos
	broken bool
}

// Of returns the place of the section's key, or the section's own place where
// the key was not written.
func (a At) Of(key string) Pos {
	if p := a.keys[key].pos; p.IsValid() {
		return p
	}
	return a.Pos
}

// Has reports whether the section says key itself.
func (a At) Has(key string) bool { return a.keys[key].pos.IsValid() }

// Broken reports whether something is wrong with what the section says under
// key, or with another key that may have meant it: what the section holds there
// is a part, or the default. It has been reported.
func (a At) Broken(key string) bool { return a.keys[key].broken || a.keys[anyKey].broken }

// anyKey stands for every key of a section of which nobody can tell what was
// meant.
const anyKey = ""

// harm marks a key as broken.
func (a At) harm(key string) {
	state := a.keys[key]
	state.broken = true
	a.keys[key] = state
}

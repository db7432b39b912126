package openapi

import (
	"strings"

	"gatehouse/config"
)

// section gathers what a level of the definition says, in the keys of the
// configuration.
type section struct {
	where string // the way to it, for messages
	value config.Value
}

const ours = "x-gatehouse-"

// newSection returns the section of v's own keys: those that begin with
// x-gatehouse-.
func newSection(where string, v *config.Value) *section {
	s := &section{where: where}
	s.value.Kind, s.value.Pos, s.value.File = config.Map, v.Pos, v.File
	for _, e := range v.Entries {
		if name, found := strings.CutPrefix(e.Key, ours); found {
			e.Key = name
			s.value.Entries = append(s.value.Entries, e)
		}
	}
	return s
}

// has reports whether the section says key.
func (s *section) has(key string) bool { return s.value.Find(key) != nil }

// set says key, unless a key of ours does.
func (s *section) set(key string, at config.Pos, v *config.Value) {
	if !s.has(key) {
		s.value.Entries = append(s.value.Entries, entry(key, at, v))
	}
}

// in returns the section below key, made where it is not there.
func (s *section) in(key string, at config.Pos) *config.Value {
	if e := s.value.Find(key); e != nil {
		return e.Value
	}
	v := &config.Value{Kind: config.Map, Pos: at, File: s.value.File}
	s.set(key, at, v)
	return v
}

func entry(key string, at config.Pos, v *config.Value) config.Entry {
	return config.Entry{Key: key, Pos: at, Value: v}
}

// text returns a value that stands in the place of another.
func text(at *config.Value, s string) *config.Value {
	return &config.Value{Kind: config.Scalar, Text: strings.ReplaceAll(s, "${", "$${"), Pos: at.Pos, File: at.File}
}

// template is text in which ${...} names what a template may.
func template(at *config.Value, s string) *config.Value {
	v := text(at, "")
	v.Text = s
	return v
}

// plain returns a number, true or false in the place of another value.
func plain(at *config.Value, s string) *config.Value {
	v := text(at, s)
	v.Plain = true
	return v
}

// decode decodes a section into the keys of the configuration; nil for one that
// says nothing.
func decode[K any](r *reader, s *section) *K {
	if s == nil || len(s.value.Entries) == 0 {
		return nil
	}
	k := new(K)
	r.docs[s.value.File].Decode(&s.value, s.where, k)
	return k
}

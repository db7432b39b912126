package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gatehouse/config/tree"
)

// Document is a file that the configuration names and that has a form of its
// own, such as an API definition: YAML or JSON, with the place of every value.
// It is configuration like any file that is named: a change of it is a reload. A
// Document is valid only during the call in which Node.Document returned it; who
// needs its Root for longer drops it when all is compiled, for it is large.
type Document struct {
	Root *tree.Value // never nil; a Null where the file is empty
	Name string      // as messages print it

	d      *decoder
	src    *source
	bounds string // the folder of the first document, which others must lie in
}

// Value is one value of a Document, Entry one key of a map there.
type (
	Value = tree.Value
	Entry = tree.Entry
)

// Document reads the file that n names. Where it cannot be read, or is neither
// YAML nor JSON, that is reported, and false returned.
//
// What the file says is not trusted as the main file is: its values may name
// files of its own folder, and no environment variables.
func (n *Node) Document() (*Document, bool) {
	text, ok := n.d.scalarText(n, "a file")
	if !ok {
		return nil, false
	}
	path, content, err := n.d.readFile(n.source(), text, maxFile)
	if err != nil {
		n.problem("relative paths start at the folder of the file that says them", n.naming()+err.Error())
		return nil, false
	}
	return n.d.document(displayName(n.source(), path), path, content)
}

// Open reads a file that d names relative to itself. It must lie in the folder
// of the document that Node.Document returned, or below.
func (d *Document) Open(name string) (*Document, error) {
	path := filepath.Join(d.src.dir, filepath.FromSlash(name))
	if within, err := filepath.Rel(d.bounds, path); filepath.IsAbs(name) || err != nil || !filepath.IsLocal(within) {
		return nil, errOutsideDocument
	}
	content, err := d.d.sources.read(path, maxFile, func() (*os.File, error) { return openWithin(d.bounds, path) })
	if err != nil {
		return nil, err
	}
	other, ok := d.d.document(displayName(d.src, path), path, content)
	if !ok {
		return nil, errUnreadable
	}
	other.bounds = d.bounds
	return other, nil
}

var (
	errOutsideDocument = errors.New("a definition may only name what lies in its own folder")
	errUnreadable      = errors.New("it is neither YAML nor JSON")
)

// document makes a Document of what was read.
func (d *decoder) document(name, path string, content []byte) (*Document, bool) {
	src := d.add(&source{tree.NewFile(name, content), filepath.Dir(path), &jail{of: "a definition"}})
	d.sources.heavy = append(d.sources.heavy, src.file)
	var root *tree.Value
	if src.file.IsJSON() {
		root = src.file.ParseJSON(d.told)
	} else {
		root = d.parse(src)
	}
	if root == nil {
		return nil, false
	}
	return &Document{Root: root, Name: name, d: d, src: src, bounds: src.dir}, true
}

// Decode decodes a value of the document, or one that its reader has made of
// such values, into what into points to, by the rules of the package. Where says
// in messages which value it is: the way to it.
func (d *Document) Decode(v *Value, where string, into any) bool {
	n := &Node{d: d.d, v: v, at: v.Pos, path: &step{key: where, index: -1, depth: 1, shown: true}}
	return n.Decode(into)
}

// Errorf adds a problem at a place of the document.
func (d *Document) Errorf(at Pos, format string, args ...any) {
	d.d.report.Errorf(at, format, args...)
}

// Hint is Errorf with a cure.
func (d *Document) Hint(at Pos, hint, format string, args ...any) {
	d.d.report.Add(Problem{Pos: at, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// Unknown adds a problem as Report.Unknown does.
func (d *Document) Unknown(at Pos, what, name string, known []string) {
	d.d.report.Unknown(at, what, tree.Shorten(name), known)
}

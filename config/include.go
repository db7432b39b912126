package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"gatehouse/config/tree"
)

// Include is an entry of the include list: files that add to the main file
// without being trusted as it is. The long form names the environment
// variables that they may read.
type Include struct {
	At
	Files   string   `yaml:"files,required" doc:"the files: a path, or a pattern such as teams/*.yaml"`
	Secrets []string `yaml:"secrets" doc:"the environment variables that the files may read"`
}

// UnmarshalConfig reads the short form, a pattern, and the long one.
func (i *Include) UnmarshalConfig(n *Node) {
	if n.Kind() == Scalar {
		n.Decode(&i.Files)
		return
	}
	type long Include
	n.Decode((*long)(i))
}

// ConfigSchema implements Schemer.
func (Include) ConfigSchema() *Schema {
	type long Include
	return &Schema{AnyOf: []*Schema{{Type: "string"}, SchemaOf(long{})}}
}

// include adds what the included files define to the values of the main file,
// before any of it is decoded: what is said twice is then a duplicate like any
// other. It reports whether all of it could be added.
func (d *decoder) include(root *tree.Value, t reflect.Type) bool {
	f := d.plan(t).byName["include"]
	said := root.Find("include")
	if f == nil || said == nil || f.typ != reflect.TypeFor[[]Include]() {
		return true
	}
	before := d.report.found
	var includes []Include
	n := &Node{d: d, v: root, at: root.Pos}
	// What is wrong with the list itself is found once more, and reported
	// once, when the whole of root is decoded.
	d.decode(n.entry(*said), reflect.ValueOf(&includes).Elem(), f.rules)
	loaded := make(map[string]bool)
	for i := range includes {
		if includes[i].Files != "" {
			d.includeGlob(root, &includes[i], loaded)
		}
	}
	d.sources.matched = d.sources.glob()
	return d.report.found == before
}

func (d *decoder) includeGlob(root *tree.Value, inc *Include, loaded map[string]bool) {
	main, at := d.byFile[root.File], inc.Of("files")
	pattern := inc.Files
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(globEscape(main.dir), pattern)
	}
	d.sources.Globs = append(d.sources.Globs, pattern)
	paths, err := glob(pattern)
	if err != nil {
		d.report.Add(Problem{Pos: at, Path: "include", Message: "this is no pattern of file names", Hint: "a pattern has * and ?, and [ only with its ]"})
		return
	}
	if len(paths) == 0 && !isPattern(inc.Files) {
		d.report.Add(Problem{Pos: at, Path: "include", Message: fmt.Sprintf("there is no file %s", tree.Shorten(inc.Files)), Hint: "a pattern with * may match nothing; a name must exist"})
	}
	loaded[filepath.Join(main.dir, filepath.Base(main.file.Name))] = true
	for _, path := range paths {
		if !loaded[path] {
			loaded[path] = true
			d.includeFile(root, inc, at, path)
		}
	}
}

func isPattern(name string) bool { return strings.ContainsAny(name, `*?[\`) }

// globEscape returns the pattern that matches path alone.
func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// glob returns the files that match a pattern. As in a shell, wildcards match
// neither hidden files, which editors leave behind, nor here folders.
func glob(pattern string) ([]string, error) {
	paths, err := filepath.Glob(pattern)
	if err != nil || !isPattern(filepath.Base(pattern)) {
		return paths, err
	}
	hidden := strings.HasPrefix(filepath.Base(pattern), ".")
	return slices.DeleteFunc(paths, func(path string) bool {
		info, err := os.Stat(path)
		return !hidden && strings.HasPrefix(filepath.Base(path), ".") || err == nil && info.IsDir()
	}), nil
}

func (d *decoder) includeFile(root *tree.Value, inc *Include, at Pos, path string) {
	name, dir := displayName(d.byFile[root.File], path), filepath.Dir(path)
	text, err := d.sources.read(path, maxConfig, func() (*os.File, error) { return openWithin(dir, path) })
	if err != nil {
		d.report.Add(Problem{Pos: at, Path: "include", Message: fmt.Sprintf("cannot read %s: %v", name, err)})
		return
	}
	src := d.add(&source{tree.NewFile(name, text), dir, &jail{secrets: inc.Secrets}})
	switch doc := d.parse(src); {
	case doc == nil || doc.Kind == Null:
	case doc.Kind != Map:
		d.report.Add(Problem{Pos: doc.Pos, Message: "an included file is a map of " + oneOf(d.options.IncludeKeys)})
	default:
		for _, e := range doc.Entries {
			d.includeEntry(root, e)
		}
	}
}

// displayName returns path as the main file's own name leads to it, so that
// messages look alike.
func displayName(main *source, path string) string {
	if filepath.IsAbs(main.file.Name) {
		return path
	}
	if name, err := filepath.Rel(main.dir, path); err == nil {
		return filepath.Join(filepath.Dir(main.file.Name), name)
	}
	return path
}

// includeEntry adds one top-level key of an included file to root.
func (d *decoder) includeEntry(root *tree.Value, e tree.Entry) {
	if !slices.Contains(d.options.IncludeKeys, e.Key) {
		e.Value.File.Unseen(e.Pos, e.Value)
		d.report.Add(Problem{
			Pos: e.Pos, Path: tree.Shorten(e.Key),
			Message: fmt.Sprintf("an included file may not say %q", tree.Shorten(e.Key)),
			Hint:    "it may say nothing but " + oneOf(d.options.IncludeKeys),
		})
		return
	}
	if e.Value.Kind == Null {
		return
	}
	to := root.Find(e.Key)
	if to == nil {
		root.Entries = append(root.Entries, tree.Entry{Key: e.Key, Pos: e.Pos, Value: &tree.Value{Kind: Map, Pos: e.Value.Pos, File: e.Value.File}})
		to = root.Find(e.Key)
	}
	if e.Value.Kind != Map {
		d.report.Add(Problem{Pos: e.Value.Pos, Path: e.Key, Message: "wanted a map, got " + e.Value.Kind.String()})
		return
	}
	to.Value = d.joined(e.Key, to.Value, e.Value)
}

// joined returns a map with the entries of both, without touching either: an
// alias may share them.
func (d *decoder) joined(key string, have, more *tree.Value) *tree.Value {
	if have.Kind == Scalar || have.Kind == List {
		return have // which is reported when it is decoded
	}
	out := *have
	out.Kind, out.Entries = Map, slices.Clone(have.Entries)
	for _, e := range more.Entries {
		if first := have.Find(e.Key); first != nil {
			e.Value.File.Unseen(e.Pos, e.Value)
			d.report.Add(Problem{
				Pos: e.Pos, Path: (&Node{}).step(key, -1).String() + "." + e.Key,
				Message: fmt.Sprintf("%q is already defined at %v", tree.Shorten(e.Key), first.Pos),
				Hint:    "give one of the two another name",
			})
			continue
		}
		out.Entries = append(out.Entries, e)
	}
	return &out
}

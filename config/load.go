package config

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"gatehouse/config/tree"
)

// Options say how a configuration is read.
type Options struct {
	// IncludeKeys are the top-level keys that included files may define, all
	// of them maps: "apis", "services".
	IncludeKeys []string
	// Planned are keys that a later version will know, each with what it will
	// stand for, in the plural: "apis.*.waf" for "web ACLs". "*" stands for any
	// key. Such a key is an error, but none of spelling.
	Planned map[string]string
	// LookupEnv looks ${env:NAME} up; os.LookupEnv where it is nil.
	LookupEnv func(name string) (string, bool)
}

func (o *Options) lookupEnv(name string) (string, bool) {
	if o.LookupEnv == nil {
		return os.LookupEnv(name)
	}
	return o.LookupEnv(name)
}

// Load reads the configuration at path into the struct that into points to.
// The error is an *Errors with all that is wrong; what could be read is there all
// the same, and At.Broken tells what could not. The Sources are never nil: they
// say what to watch for even where the configuration is broken.
func Load(path string, into any, opts Options) (*Sources, error) {
	d := newDecoder(opts)
	absolute, err := filepath.Abs(path)
	if err != nil {
		absolute = path
	}
	text, err := d.sources.read(absolute, maxConfig, func() (*os.File, error) { return os.Open(path) })
	if err != nil {
		d.report.Add(Problem{Pos: Pos{File: path, Line: 1, Column: 1}, Message: "cannot read the configuration: " + err.Error(), Hint: "-c names another file"})
		return d.sources, NewErrors(&d.report, d.sources)
	}
	d.load(&source{file: tree.NewFile(path, text), dir: filepath.Dir(absolute)}, into)
	return d.sources, NewErrors(&d.report, d.sources)
}

// LoadBytes reads a configuration that is no file. Name stands for it in
// messages, and its folder is where relative paths start.
func LoadBytes(name string, data []byte, into any, opts Options) (*Sources, error) {
	d := newDecoder(opts)
	absolute, err := filepath.Abs(name)
	if err != nil {
		absolute = name
	}
	if text, err := readAtMost(bytes.NewReader(data), maxConfig); err != nil {
		d.report.Add(Problem{Pos: Pos{File: name, Line: 1, Column: 1}, Message: "the configuration " + err.Error()})
	} else {
		d.load(&source{file: tree.NewFile(name, text), dir: filepath.Dir(absolute)}, into)
	}
	return d.sources, NewErrors(&d.report, d.sources)
}

// load decodes the main file with the files that it includes, as one.
func (d *decoder) load(src *source, into any) {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		panic("config: Load wants a pointer to a struct")
	}
	d.add(src)
	d.sources.secrets = append(secretNames(), secretKeys(v.Type())...)
	root := d.parse(src)
	if root == nil {
		return
	}
	included := d.include(root, v.Elem().Type())
	d.decode(&Node{d: d, v: root, at: root.Pos}, v.Elem(), rules{})
	for _, index := range d.plan(v.Elem().Type()).places {
		at := v.Elem().FieldByIndex(index).Addr().Interface().(*At)
		switch {
		case d.stopped:
			*at = At{}
		case !included:
			at.harm("include")
		}
	}
}

// secretKeys returns the keys of all secrets that t can hold.
func secretKeys(t reflect.Type) []string {
	var keys []string
	seen := make(map[reflect.Type]bool)
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(t.Elem())
		case reflect.Struct:
			if seen[t] {
				return
			}
			seen[t] = true
			for i := range t.NumField() {
				f := t.Field(i)
				name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
				if name != "" && elem(f.Type) == reflect.TypeFor[Secret]() {
					keys = append(keys, name)
				}
				walk(f.Type)
			}
		}
	}
	walk(t)
	return keys
}

// elem returns what t consists of, past pointers, lists and maps.
func elem(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	return t
}

package config

import (
	"reflect"

	"gatehouse/config/tree"
)

// builtin decodes the scalars that know where they stand.
func (d *decoder) builtin(n *Node, v reflect.Value, r rules) {
	if v.Type() == reflect.TypeFor[Secret]() {
		d.secret(n, v)
		return
	}
	want := "a path"
	switch v.Type() {
	case reflect.TypeFor[Name]():
		want = "a name"
	case reflect.TypeFor[Template]():
		want, n.template = "text", true
	}
	text, ok := d.scalarText(n, want)
	if !ok {
		return
	}
	switch to := v.Addr().Interface().(type) {
	case *Name:
		if text == "" {
			n.problem("", "the name is empty")
			return
		}
		*to = Name{Value: text, At: n.v.Pos}
	case *Template:
		*to = Template{Text: text, At: n.v.Pos}
	case *Path:
		d.path(n, to, text)
	case *File:
		d.file(n, to, text)
	}
	d.enforce(n, v, text, r)
}

func (d *decoder) path(n *Node, to *Path, text string) {
	path, err := d.resolvePath(n.source(), text)
	if err != nil {
		n.problem("", n.naming()+err.Error())
		return
	}
	*to = Path{Value: path, At: n.v.Pos}
}

func (d *decoder) file(n *Node, to *File, text string) {
	path, content, err := d.readFile(n.source(), text, maxFile)
	if err != nil {
		n.problem("relative paths start at the folder of the file that says them", n.naming()+err.Error())
		return
	}
	d.sources.keep(path, content)
	*to = File{Path: path, Content: content, At: n.v.Pos}
}

// naming begins a message about the file that n names.
func (n *Node) naming() string {
	if n.v.Text == "" {
		return ""
	}
	return tree.Shorten(n.v.Text) + ": "
}

// secret decodes a secret. One that stands in the file itself is hidden before
// anything can be said of it.
func (d *decoder) secret(n *Node, v reflect.Value) {
	if n.v.Kind != Scalar {
		n.Hide()
		d.scalarText(n, "a secret")
		return
	}
	if n.expand().literal {
		n.Hide()
	}
	if text, ok := n.Text(); ok {
		v.Set(reflect.ValueOf(NewSecret(text)))
	}
}

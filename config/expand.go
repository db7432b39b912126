package config

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gatehouse/config/tree"
)

// expansion is what a scalar's text became.
type expansion struct {
	text    string
	broken  bool // a reference stands for nothing, which has been reported
	foreign bool // some of it came from the environment or a file
	literal bool // some of it stands in the configuration itself
}

// expand replaces the references of a scalar, once.
func (n *Node) expand() *expansion {
	if n.expanded == nil {
		n.expanded = new(expansion)
		n.expanded.broken = !n.expandInto(n.expanded)
	}
	return n.expanded
}

func (n *Node) expandInto(x *expansion) (whole bool) {
	var out []byte
	whole = true
	for rest := n.v.Text; rest != ""; {
		before, after, more := strings.Cut(rest, "${")
		escaped := more && strings.HasSuffix(before, "$")
		x.literal = x.literal || before != "" || escaped
		if escaped && !n.template {
			before = before[:len(before)-1]
		}
		out, rest = append(out, before...), after
		switch {
		case !more:
		case escaped:
			out = append(out, "${"...)
		case n.template && !isReference(after):
			out, x.literal = append(out, "${"...), true
		default:
			value, behind, ok := n.reference(after)
			whole, x.foreign = whole && ok, true
			out, rest = n.appendForeign(out, value, behind), behind
		}
	}
	x.text = string(out)
	return whole
}

// appendForeign appends what a reference stands for. It is text, also within a
// template: no ${ of it, nor one that its ends would make with what stands
// beside it, begins a name.
func (n *Node) appendForeign(out []byte, value, behind string) []byte {
	if !n.template {
		return append(out, value...)
	}
	if bytes.HasSuffix(out, []byte("$")) && strings.HasPrefix(value, "{") {
		out = append(out, '$')
	}
	out = append(out, strings.ReplaceAll(value, "${", "$${")...)
	if strings.HasSuffix(value, "$") && strings.HasPrefix(behind, "{") {
		out = append(out, '$')
	}
	return out
}

// isReference reports whether what follows a ${ is one of ours. Within a
// template all else belongs to the template's reader.
func isReference(after string) bool {
	return strings.HasPrefix(after, "env:") || strings.HasPrefix(after, "file:")
}

// reference returns what the reference that s continues stands for, and what
// follows it. What only looks like one is reported: taken for text it would
// make a password of its own name.
func (n *Node) reference(s string) (value, behind string, ok bool) {
	body, behind, closed := strings.Cut(s, "}")
	kind, name, _ := strings.Cut(body, ":")
	if !closed || name == "" || strings.ContainsAny(name, "${\n") || kind != "env" && kind != "file" {
		n.problem("write ${env:NAME} or ${file:PATH}; $${ stands for ${ itself", "a ${ that begins no reference")
		return "", s, false
	}
	value, ok = n.resolve(kind, name)
	return value, behind, ok
}

// resolve returns what a reference stands for, after reporting why it stands
// for nothing.
func (n *Node) resolve(kind, name string) (string, bool) {
	var value string
	var ok bool
	if kind == "env" {
		value, ok = n.resolveEnv(name)
	} else {
		value, ok = n.resolveFile(name)
	}
	if ok {
		n.d.sources.hide(value, fmt.Sprintf("${%s:%s}", kind, name), n.v.Pos)
	}
	return value, ok
}

func (n *Node) resolveEnv(name string) (string, bool) {
	if j := n.source().jail; j != nil && !slices.Contains(j.secrets, name) {
		hint := fmt.Sprintf("add %s to the secrets of the include, or remove the reference", tree.Shorten(name))
		if j.of != "" {
			hint = "say it in the configuration itself"
		}
		n.problem(hint, fmt.Sprintf("%v may not read the environment variable %s", j, tree.Shorten(name)))
		return "", false
	}
	value, ok := n.d.options.lookupEnv(name)
	if !ok {
		n.problem(fmt.Sprintf("set it before the start, or write $${env:%s} for the text itself", tree.Shorten(name)),
			fmt.Sprintf("the environment variable %s is not set", tree.Shorten(name)))
	}
	return value, ok
}

func (n *Node) resolveFile(name string) (string, bool) {
	_, content, err := n.d.readFile(n.source(), name, maxExpanded)
	if err != nil {
		n.problem("relative paths start at the folder of the file that says them", fmt.Sprintf("${file:%s}: %v", tree.Shorten(name), err))
		return "", false
	}
	text := strings.TrimSuffix(string(content), "\n")
	return strings.TrimSuffix(text, "\r"), true
}

package config

import (
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
	var out strings.Builder
	whole = true
	rest := n.v.Text
	for {
		i := strings.IndexByte(rest, '$')
		if i < 0 {
			break
		}
		out.WriteString(rest[:i])
		x.literal = x.literal || i > 0
		rest = rest[i:]
		if strings.HasPrefix(rest, "$${") {
			out.WriteString("${")
			rest, x.literal = rest[3:], true
			continue
		}
		kind, name, after, ok := reference(rest)
		if !ok {
			out.WriteByte('$')
			rest, x.literal = rest[1:], true
			continue
		}
		x.foreign = true
		value, ok := n.resolve(kind, name)
		whole = whole && ok
		out.WriteString(value)
		rest = after
	}
	out.WriteString(rest)
	x.literal = x.literal || rest != ""
	x.text = out.String()
	return whole
}

// reference takes a leading ${env:NAME} or ${file:PATH} off s. Whatever else
// looks like a reference belongs to somebody else: stage variables, say.
func reference(s string) (kind, name, rest string, ok bool) {
	for _, kind := range []string{"env", "file"} {
		if after, found := strings.CutPrefix(s, "${"+kind+":"); found {
			name, rest, ok = strings.Cut(after, "}")
			return kind, name, rest, ok && !strings.ContainsAny(name, "${\n")
		}
	}
	return "", "", "", false
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
		n.d.sources.hide(value, fmt.Sprintf("${%s:%s}", kind, name))
	}
	return value, ok
}

func (n *Node) resolveEnv(name string) (string, bool) {
	if j := n.source().jail; j != nil && !slices.Contains(j.secrets, name) {
		n.problem(fmt.Sprintf("add %s to the secrets of the include, or remove the reference", tree.Shorten(name)),
			fmt.Sprintf("an included file may not read the environment variable %s", tree.Shorten(name)))
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

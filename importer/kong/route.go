package kong

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/importer"
	"gatehouse/importer/value"
)

// route makes routes of one of Kong's: one for each path, and for each value of a
// header that it asks for.
func (c *converter) route(r *route, a *importer.API) (out []*importer.Route) {
	label := "route " + r.name
	if r.name == "" {
		label = "route"
	}
	head := []string{c.at(r.Node) + ": " + label}
	if r.Get("expression").There() {
		a.Notes = append(a.Notes, c.note(r.Get("expression"), label+": a route by expression has no counterpart: not carried over"))
		return nil
	}
	if protocols := r.Get("protocols").Texts(); len(protocols) > 0 && !slices.ContainsFunc(protocols, func(p string) bool { return p == "http" || p == "https" || p == "grpc" || p == "grpcs" }) {
		a.Notes = append(a.Notes, c.note(r.Get("protocols"), label+": what is no HTTP is not carried over"))
		return nil
	}
	methods, note := c.methods(r)
	head = append(head, note...)
	if methods == "" {
		a.Notes = append(a.Notes, c.note(r.Get("methods"), label+": no route can have these methods: not carried over"))
		return nil
	}
	paths := r.Get("paths").Items()
	if len(paths) == 0 {
		paths = []value.Node{{}}
	}
	for _, p := range paths {
		pattern, ok, notes := c.pattern(p)
		if !ok {
			a.Notes = append(a.Notes, c.note(p, fmt.Sprintf("%s: the path %s has no counterpart: write METHOD /PATH/{name}", label, p.Text())))
			continue
		}
		for _, conditions := range c.conditions(r, a) {
			one := &importer.Route{Notes: slices.Concat(head, notes), Keys: importer.NewMap()}
			one.Match = any(methods + " " + pattern.text)
			if conditions != nil {
				one.Match = importer.Flow().Put("route", methods+" "+pattern.text).Put("headers", conditions)
			}
			c.target(r, pattern, one)
			c.policies(r, one)
			out = append(out, one)
		}
	}
	return out
}

func (c *converter) methods(r *route) (text string, notes []string) {
	all := r.Get("methods").Texts()
	if len(all) == 0 {
		return "ANY", nil
	}
	var known []string
	for _, m := range all {
		if m = strings.ToUpper(m); slices.Contains(importer.Methods, m) && !slices.Contains(known, m) {
			known = append(known, m)
		} else if !slices.Contains(known, m) {
			notes = append(notes, c.note(r.Get("methods"), "methods: no route can have "+m))
		}
	}
	return strings.Join(known, ","), notes
}

// conditions are the headers that a route asks for, in every combination; one nil
// for none.
func (c *converter) conditions(r *route, a *importer.API) []*importer.Map {
	headers := r.Get("headers")
	if !headers.There() {
		return []*importer.Map{nil}
	}
	all := []map[string]string{{}}
	for _, name := range headers.Keys() {
		lower := strings.ToLower(name)
		if !importer.IsName(lower) {
			return nil
		}
		var next []map[string]string
		for _, value := range headers.Get(name).Texts() {
			if strings.HasPrefix(value, "~*") {
				a.Notes = append(a.Notes, c.note(headers, "headers: a condition by regular expression has no counterpart: not carried over"))
				return nil
			}
			for _, before := range all {
				one := map[string]string{lower: value}
				for k, v := range before {
					one[k] = v
				}
				next = append(next, one)
			}
		}
		if all = next; len(all) > 50 {
			a.Notes = append(a.Notes, c.note(headers, "headers: too many combinations: not carried over"))
			return nil
		}
	}
	var out []*importer.Map
	for _, one := range all {
		m := importer.Flow()
		for _, name := range headers.Keys() {
			if value, ok := one[strings.ToLower(name)]; ok && !m.Has(strings.ToLower(name)) {
				m.Put(strings.ToLower(name), value)
			}
		}
		out = append(out, m)
	}
	return out
}

// pattern is a path as Gatehouse writes it.
type pattern struct {
	text   string
	prefix string // the literal path that is stripped, without a final /
	exact  bool   // nothing may follow
	named  bool   // it has parameters
}

// pattern reads one of Kong's paths: a prefix, or a regular expression that
// consists of segments.
func (c *converter) pattern(p value.Node) (out pattern, ok bool, notes []string) {
	text := p.Text()
	expression := strings.HasPrefix(text, "~")
	if !c.version3 && !expression && strings.ContainsAny(text, `\()[]{}^$*+?|`) {
		expression = true
	}
	if !expression {
		if text == "" {
			text = "/"
		}
		segments, ok := importer.Segments(text)
		if !ok {
			return out, false, nil
		}
		out.prefix = "/" + strings.Join(segments, "/")
		out.text = strings.TrimSuffix(out.prefix, "/") + "/{proxy*}"
		if len(segments) > 0 && !strings.HasSuffix(text, "/") {
			notes = append(notes, "(whole segments alone: Kong also took "+text+"x)")
		}
		return out, true, notes
	}
	out, ok, loose := fromExpression(strings.TrimPrefix(text, "~"))
	if loose {
		notes = append(notes, c.note(p, "the path "+text+": a parameter takes any segment here"))
	}
	return out, ok, notes
}

// fromExpression reads a regular expression whose segments are literals, or one
// group or class each: /users/(?<id>\d+)/orders$.
func fromExpression(text string) (out pattern, ok, loose bool) {
	text = strings.TrimPrefix(text, "^")
	text, out.exact = strings.CutSuffix(text, "$")
	if !strings.HasPrefix(text, "/") {
		return out, false, false
	}
	var parts []string
	for _, raw := range cutSegments(strings.TrimSuffix(text[1:], "/")) {
		if raw == "" {
			if len(parts) == 0 && text == "/" {
				break
			}
			return out, false, false
		}
		if literal, plain := unescaped(raw); plain {
			segments, ok := importer.Segments("/" + literal)
			if !ok || len(segments) != 1 {
				return out, false, false
			}
			parts = append(parts, segments[0])
			continue
		}
		name, any, ok := group(raw, len(parts))
		if !ok {
			return out, false, false
		}
		out.named, loose = true, loose || !any
		parts = append(parts, "{"+name+"}")
	}
	out.prefix = "/" + strings.Join(parts, "/")
	out.text = out.prefix
	if !out.exact {
		out.text = strings.TrimSuffix(out.prefix, "/") + "/{proxy*}"
	}
	seen := map[string]bool{}
	for _, part := range parts {
		if strings.HasPrefix(part, "{") && seen[part] {
			return out, false, false
		}
		seen[part] = true
	}
	return out, true, loose
}

// cutSegments cuts at every / that is in no class.
func cutSegments(s string) (out []string) {
	from, class := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '[':
			class = true
		case s[i] == ']':
			class = false
		case s[i] == '/' && !class:
			out, from = append(out, s[from:i]), i+1
		}
	}
	return append(out, s[from:])
}

func unescaped(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`.-_/~`, s[i+1]) >= 0:
			i++
			b.WriteByte(s[i])
		case strings.IndexByte(`\()[]{}^$*+?|`, s[i]) >= 0:
			return "", false
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), true
}

// group reads a segment that is one group or class: its name, and whether it
// takes every segment.
func group(s string, n int) (name string, any, ok bool) {
	name = fmt.Sprintf("p%d", n+1)
	if inner, found := strings.CutPrefix(s, "(?<"); found && strings.HasSuffix(inner, ")") {
		name, s, found = strings.Cut(strings.TrimSuffix(inner, ")"), ">")
		if !found || !importer.IsName(name) {
			return "", false, false
		}
	} else if strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") {
		s = strings.TrimPrefix(s[1:len(s)-1], "?:")
	}
	switch s {
	case `[^/]+`, `[^/]*`, `.+`, `.*`, `\S+`:
		return name, true, name != "proxy"
	case `\d+`, `[0-9]+`, `\w+`, `[a-z]+`, `[a-z0-9]+`, `[a-zA-Z0-9]+`, `[a-zA-Z0-9_-]+`, `[a-z0-9-]+`, `[\w-]+`, `[0-9a-f-]+`, `[A-Za-z0-9]+`:
		return name, false, name != "proxy"
	}
	return "", false, false
}

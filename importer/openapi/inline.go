package openapi

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/exchange"
	"gatehouse/importer"
	"gatehouse/importer/value"
)

// ConvertFileInline is ConvertFile, but makes a route of each operation in place of a
// definition: the document is not needed any more.
func ConvertFileInline(name string) (importer.Result, error) {
	root, err := value.ReadFile(name)
	if err != nil {
		return importer.Result{}, err
	}
	return ConvertInline(name, root)
}

// ConvertInline is ConvertFileInline for a document that was read.
func ConvertInline(name string, root value.Node) (importer.Result, error) {
	c, err := newConverter(name, root)
	if err != nil {
		return importer.Result{}, err
	}
	c.config.Head = []string{
		"Made by gatehouse import openapi of " + c.file + ": a route for each operation. What the",
		"document says of parameters and bodies is left to the service.",
	}
	c.config.Open = "the document says no security."
	s := c.server()
	a := c.api()
	c.routes(a, strings.TrimSuffix(s.path, "/"))
	if len(a.Routes) == 0 {
		return importer.Result{}, fmt.Errorf("%s: no operation in it can be a route", c.file)
	}
	c.serve(a, s)
	return c.config.Result(), nil
}

// routes makes one of each operation.
func (c *converter) routes(a *importer.API, base string) {
	taken := make(map[string]bool)
	for i := range c.all {
		op := &c.all[i]
		path, problem := patternOf(base + op.path)
		shape := op.method + " " + path.shape
		if problem == "" && taken[shape] {
			problem = "an operation before it has the same path"
		}
		if problem != "" {
			a.Notes = append(a.Notes, c.note(op.Node, op.method+" "+base+op.path+": not carried over: "+problem))
			continue
		}
		taken[shape] = true
		one := &importer.Route{Match: op.method + " " + path.text, Target: "service:" + service}
		if integration := op.Get("x-amazon-apigateway-integration"); integration.There() {
			one.Notes = append(one.Notes, c.note(integration, "x-amazon-apigateway-integration: not carried over: it goes to the service"))
		}
		if op.asks() {
			one.Access.Closed = c.asked(op)
		}
		if op.open() {
			one.Notes = append(one.Notes, c.note(op.Node, "the credential may be left out: OPEN to everybody, and the service tells them apart"))
		}
		a.Routes = append(a.Routes, one)
	}
}

// asked says what an operation asks for, and what to write for it.
func (c *converter) asked(op *operation) string {
	var names []string
	for _, one := range op.security {
		names = append(names, strings.Join(one.Keys(), " and "))
	}
	text := "the document asks for " + strings.Join(slices.Compact(names), ", or ")
	for _, one := range op.security {
		for _, name := range one.Keys() {
			c.note(c.scheme(name), "the scheme "+name+": "+cure(c.scheme(name)))
		}
	}
	return text
}

// pattern is a path as a route's match writes it.
type pattern struct {
	text  string
	shape string // without the names of parameters
}

// patternOf returns a document's path as a route's, or why it can be none.
func patternOf(path string) (p pattern, problem string) {
	if start, ok := strings.CutSuffix(path, "/$default"); ok { // API Gateway's
		return pattern{start + "/{proxy*}", start + "/{*}"}, ""
	}
	segments := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	if len(segments) > exchange.MaxSegments {
		return p, fmt.Sprintf("it has more than %d segments", exchange.MaxSegments)
	}
	used := make(map[string]bool)
	for i, segment := range segments {
		text, shape := segment, segment
		literal, ok := importer.Segments("/" + segment)
		switch name, greedy, is := parameter(segment); {
		case is && greedy && i < len(segments)-1:
			return p, segment + " takes the rest of the path, so it must stand at the end"
		case is:
			if !parameterName(name) || used[name] {
				name = fmt.Sprintf("p%d", i+1)
			}
			used[name] = true
			text, shape = "{"+name+"}", "{}"
			if greedy {
				text, shape = "{"+name+"+}", "{+}"
			}
		case strings.ContainsAny(segment, "{}"):
			return p, "a parameter is a whole segment, /{name}/: " + segment + " is not"
		case !ok || len(literal) != 1:
			return p, segment + " can be no segment"
		default:
			text, shape = literal[0], literal[0]
		}
		p.text += "/" + text
		p.shape += "/" + shape
	}
	if p.text == "" {
		return pattern{"/", "/"}, ""
	}
	return p, ""
}

// parameter reads {name} and {name+}.
func parameter(segment string) (name string, greedy, ok bool) {
	name, ok = strings.CutPrefix(segment, "{")
	name, closed := strings.CutSuffix(name, "}")
	if !ok || !closed || strings.ContainsAny(name, "{}") {
		return "", false, false
	}
	name, greedy = strings.CutSuffix(name, "+")
	return name, greedy, true
}

// parameterName reports whether a route's parameter can have the name.
func parameterName(name string) bool {
	return name != "" && strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789_.-") == ""
}

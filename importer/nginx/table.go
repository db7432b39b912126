package nginx

import (
	"strings"

	"gatehouse/importer"
)

// table makes an API's routes of a server's locations.
type table struct {
	*converter
	server *server
	api    *importer.API
	seen   map[string]bool // matches that there are
	both   map[string]bool // paths that are locations with a final / and without
	named  map[string]*Directive
}

// place is a location as it is carried over.
type place struct {
	*scope
	d        *Directive
	path     string // as written, a prefix or exact
	exact    bool
	segments []string
	slash    bool    // it ends in /
	who      *access // nil where no addresses are named
}

func (t *table) build() {
	s := t.server
	t.named = map[string]*Directive{}
	for _, d := range s.own("location") {
		if name := first(d.Args); strings.HasPrefix(name, "@") {
			t.named[name] = d
		}
	}
	if answered := t.whole(); answered {
		return
	}
	t.findBoth(s.all)
	for _, d := range s.own("location") {
		t.location(s.scope, d)
	}
	if len(s.own("location")) == 0 {
		t.location(s.parent, &Directive{Name: "location", Args: []string{"/"}, Block: s.all, block: true, File: s.block.File, Line: s.block.Line})
	}
}

// findBoth finds locations that differ by a final / alone: of /p and /p/ the one
// takes what the other leaves.
func (t *table) findBoth(all []*Directive) {
	t.both = map[string]bool{}
	paths := map[string]bool{}
	walk(all, func(d *Directive) {
		if d.Name == "location" && len(d.Args) > 0 && !strings.ContainsAny(d.Args[0], "=~@") {
			paths[d.Args[0]] = true
		}
	})
	for path := range paths {
		if trimmed := strings.TrimSuffix(path, "/"); trimmed != path && paths[trimmed] {
			t.both[trimmed] = true
		}
	}
}

// whole carries over what a server says for all its requests, before any
// location is looked at.
func (t *table) whole() bool {
	s := t.server
	for _, d := range s.own("return", "rewrite", "if") {
		p := &place{scope: s.scope, d: s.block, path: "/", slash: true}
		route := &importer.Route{Match: "ANY /{proxy*}", Keys: importer.NewMap(), Notes: []string{d.at()}}
		switch d.Name {
		case "return":
			t.returns(p, d, route)
			t.add(route)
			return true
		case "rewrite":
			if t.redirectRewrite(d) {
				continue
			}
			t.api.Notes = append(t.api.Notes, t.note(d, "paths are rewritten by routes (rewrite:), not before them"))
		default:
			t.conditional(d, &t.api.Notes)
		}
	}
	return false
}

// conditional notes an if.
func (t *table) conditional(d *Directive, notes *[]string) {
	text := "conditions have no counterpart but conditions of a match on headers and query parameters"
	grave := false
	walk(d.Block, func(inner *Directive) {
		switch inner.Name {
		case "deny":
			grave = true
		case "return":
			code := first(inner.Args)
			grave = grave || strings.HasPrefix(code, "4")
		}
	})
	if grave {
		*notes = append(*notes, t.grave(d, text+": whom it refused is let through here"))
		return
	}
	*notes = append(*notes, t.note(d, text))
}

// redirectRewrite carries over a rewrite that sends clients elsewhere:
// ^/old$ /new permanent.
func (t *table) redirectRewrite(d *Directive) bool {
	if len(d.Args) < 2 {
		return false
	}
	from, exact := strings.CutSuffix(strings.TrimPrefix(d.Args[0], "^"), "$")
	to := d.Args[1]
	flag := ""
	if len(d.Args) > 2 {
		flag = d.Args[2]
	}
	plain, ok := literal(strings.TrimSuffix(from, "/?"))
	goes := flag == "permanent" || flag == "redirect" || strings.HasPrefix(to, "http://") || strings.HasPrefix(to, "https://")
	if !ok || !exact || !strings.HasPrefix(d.Args[0], "^/") || !goes || len(variablesOf(to)) > 0 || strings.ContainsAny(to, " ?") {
		return false
	}
	match, ok := exactMatch(plain)
	if !ok {
		return false
	}
	t.add(&importer.Route{Match: "ANY " + match, Target: "redirect:" + to, Notes: []string{d.at()}})
	return true
}

// add adds a route, unless there is one for the same requests.
func (t *table) add(route *importer.Route) {
	key := route.Match.(string)
	if t.seen[key] {
		t.api.Notes = append(t.api.Notes, strings.Join(route.Notes, "; ")+": there is a route "+key+" already: not carried over")
		return
	}
	t.seen[key] = true
	t.api.Routes = append(t.api.Routes, route)
}

// exactMatch writes a literal path as a pattern; false for one that no pattern
// can hold.
func exactMatch(path string) (string, bool) {
	segments, ok := importer.Segments(path)
	if !ok {
		return "", false
	}
	return "/" + strings.Join(segments, "/"), true
}

// hoist says once, at the API, what all its routes say alike.
func (t *table) hoist() {
	for _, key := range []string{"addresses", "timeout", "limits", "headers", "compress"} {
		importer.Hoist(t.api, key)
	}
}

package nginx

import (
	"regexp"
	"slices"
	"strings"

	"gatehouse/importer"
)

// location carries a location over, and those within.
func (t *table) location(around *scope, d *Directive) {
	p := &place{scope: around.within(d.Block), d: d}
	modifier, path := "", first(d.Args)
	if len(d.Args) == 2 {
		modifier, path = d.Args[0], d.Args[1]
	} else if rest, ok := strings.CutPrefix(path, "="); ok {
		modifier, path = "=", rest
	}
	switch {
	case strings.HasPrefix(path, "@"):
		return // whoever names it carries it over
	case strings.HasPrefix(modifier, "~"):
		t.regex(p)
	default:
		p.path, p.exact = path, modifier == "="
		t.prefix(p)
	}
	for _, inner := range p.own("location") {
		t.location(p.scope, inner)
	}
}

// regex notes a location by regular expression.
func (t *table) regex(p *place) {
	const text = "a location by regular expression has no counterpart: its requests go to the route of their path"
	code := ""
	if r := p.own("return"); len(r) > 0 {
		code = first(r[0].Args)
	}
	denied := slices.ContainsFunc(p.own("deny"), func(d *Directive) bool { return first(d.Args) == "all" })
	guarded := len(p.own("auth_basic", "auth_request", "auth_jwt", "allow", "internal")) > 0
	switch {
	case denied || strings.HasPrefix(code, "4"):
		t.api.Notes = append(t.api.Notes, t.grave(p.d, text+". nginx refused them: add routes that do (target: mock:404)"))
	case guarded:
		t.api.Notes = append(t.api.Notes, t.grave(p.d, text+", and to fewer rules than it had"))
	default:
		t.api.Notes = append(t.api.Notes, t.note(p.d, text))
	}
}

// prefix carries over a location by prefix, or exact.
func (t *table) prefix(p *place) {
	var ok bool
	if p.segments, ok = importer.Segments(p.path); !ok {
		t.api.Notes = append(t.api.Notes, t.note(p.d, "no route can have this path"))
		return
	}
	p.slash = strings.HasSuffix(p.path, "/")
	route := &importer.Route{Notes: []string{p.d.at()}, Keys: importer.NewMap()}
	path := "/" + strings.Join(p.segments, "/")
	if !p.exact {
		if len(p.segments) > 0 {
			path += "/"
		}
		if p.slash && t.both[strings.TrimSuffix(p.path, "/")] {
			path += "{proxy+}"
		} else {
			path += "{proxy*}"
		}
		if !p.slash {
			route.Notes[0] += " (whole segments alone: nginx also took " + p.path + "x)"
		}
	}
	if !t.handle(p, route) {
		return
	}
	route.Match = t.methods(p, route) + " " + path
	t.policies(p, route)
	t.add(route)
}

// methods carries limit_except over.
func (t *table) methods(p *place, route *importer.Route) string {
	all := p.own("limit_except")
	if len(all) == 0 || len(all[0].Args) == 0 {
		return "ANY"
	}
	d := all[0]
	if inner := d.Block; len(inner) != 1 || inner[0].Name != "deny" || first(inner[0].Args) != "all" {
		route.Notes = append(route.Notes, t.note(d, "other methods get 405 here, whoever asks"))
	}
	var methods []string
	for _, m := range d.Args {
		if m = strings.ToUpper(m); slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"}, m) && !slices.Contains(methods, m) {
			methods = append(methods, m)
		}
	}
	if len(methods) == 0 {
		return "ANY"
	}
	return strings.Join(methods, ",")
}

// handle finds what answers a location's requests, and reports whether that is
// worth a route.
func (t *table) handle(p *place, route *importer.Route) bool {
	for _, d := range p.all {
		switch d.Name {
		case "if":
			t.conditional(d, &route.Notes)
		case "location", "limit_except":
		default:
			if text := t.unknown(d, true); text != "" && p.d != t.server.block && p.d.Line != t.server.block.Line {
				route.Notes = append(route.Notes, text)
			}
		}
	}
	if len(p.own("internal")) > 0 {
		route.Target = "mock:404"
		return true
	}
	if all, _ := p.nearest("allow", "deny"); len(all) > 0 {
		who, notes := t.addresses(all)
		p.who = &who
		route.Notes = append(route.Notes, notes...)
		if who.nobody {
			route.Notes = append(route.Notes, all[0].at()+": nobody is let in")
			route.Target = "mock:403"
			return true
		}
	}
	if found := p.own("return"); len(found) > 0 {
		t.returns(p, found[0], route)
		return true
	}
	if found := p.own("proxy_pass"); len(found) > 0 {
		t.proxy(p, found[0], route)
		return true
	}
	if found := p.own("fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass"); len(found) > 0 {
		route.Notes = append(route.Notes, t.note(found[0], "services are spoken to by HTTP: put one before it, and its address in place of mock:503"))
		route.Target = "mock:503"
		return true
	}
	return t.files(p, route)
}

// files carries over a location that serves files, or passes on what it has no
// file for.
func (t *table) files(p *place, route *importer.Route) bool {
	if tried := p.own("try_files"); len(tried) > 0 && len(tried[0].Args) > 0 {
		last := tried[0].Args[len(tried[0].Args)-1]
		if d := t.named[last]; d != nil {
			inner := &place{scope: p.parent.within(d.Block), d: p.d, path: p.path, exact: p.exact, segments: p.segments, slash: p.slash}
			if pass := inner.own("proxy_pass"); len(pass) > 0 {
				route.Notes = append(route.Notes, t.note(tried[0], "files are not served: every request goes to "+last))
				p.scope = inner.scope
				t.proxy(inner, pass[0], route)
				return true
			}
		}
	}
	if len(p.own("location")) > 0 && len(p.own("root", "alias", "try_files", "index")) == 0 && len(p.segments) > 0 {
		return false // what is within is carried over
	}
	note := t.note(p.d, "files are not served: put a web server behind it")
	if len(p.segments) == 0 && !p.exact {
		t.api.Notes = append(t.api.Notes, note)
		return false // 404 is what no route takes gets
	}
	route.Notes = append(route.Notes, note)
	route.Target = "mock:404"
	return true
}

var status = regexp.MustCompile(`^[1-5][0-9][0-9]$`)

// returns carries a return over.
func (t *table) returns(p *place, d *Directive, route *importer.Route) {
	route.Target = "mock:404"
	code, to := first(d.Args), ""
	if len(d.Args) > 1 {
		to = p.expand(d.Args[1])
	} else if !status.MatchString(code) {
		code, to = "302", p.expand(code)
	}
	switch {
	case code == "444":
		route.Notes = append(route.Notes, t.note(d, "a connection is not closed without an answer: 404"))
		return
	case to != "" && (strings.HasPrefix(code, "30") || code == ""):
		t.redirect(d, code, to, route)
		return
	case status.MatchString(code) && code >= "200":
		route.Target = "mock:" + code
	}
	if to != "" {
		route.Notes = append(route.Notes, t.note(d, "a mock answers with an empty JSON object"))
	}
}

func (t *table) redirect(d *Directive, code, to string, route *importer.Route) {
	base, keeps := strings.CutSuffix(to, "$request_uri")
	base = strings.TrimSuffix(base, "/")
	if keeps {
		to = base + "/*"
	}
	if host := variablesOf(to); len(host) == 1 && (host[0] == "server_name" || host[0] == "host" || host[0] == "http_host") && len(t.api.Domains) > 0 && !strings.HasPrefix(t.api.Domains[0], "*") {
		to = variable.ReplaceAllLiteralString(to, t.api.Domains[0])
	}
	if len(variablesOf(to)) > 0 || strings.ContainsAny(to, " \\\"") || !strings.HasPrefix(to, "http://") && !strings.HasPrefix(to, "https://") && !strings.HasPrefix(to, "/") {
		route.Notes = append(route.Notes, t.note(d, "a redirect goes to a URL without variables, or keeps the whole path: redirect:https://www.example.com/*"))
		return
	}
	if code != "302" && code != "307" {
		route.Notes = append(route.Notes, "("+code+" in nginx; a redirect is 302 here, 307 for other methods than GET and HEAD)")
	}
	route.Target = "redirect:" + to
}

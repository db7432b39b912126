package nginx

import (
	"slices"
	"strings"
	"time"

	"gatehouse/importer"
)

// policies carries over what a location says or inherits beside its target.
func (t *table) policies(p *place, route *importer.Route) {
	served := !strings.HasPrefix(text(route.Target), "mock:") && !strings.HasPrefix(text(route.Target), "redirect:")
	t.access(p, route, served)
	t.throttle(p, route)
	if size, ok := parseSize(p.arg("client_max_body_size")); ok && served {
		own, _ := p.nearest("client_max_body_size")
		if shared, at := t.server.parent.nearest("client_max_body_size"); at == nil || shared[0] != own[0] {
			body := sizeText(size)
			if size == 0 {
				body = "1TiB" // no route has no limit
			}
			route.Keys.Put("limits", importer.Flow().Put("body", importer.Raw(body)))
		}
	}
	if served {
		t.headers(p, route)
		t.gzip(p, route)
	}
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// access carries over who may call.
func (t *table) access(p *place, route *importer.Route, served bool) {
	var asked []string
	for _, name := range []string{"auth_basic", "auth_request", "auth_jwt"} {
		if d := p.last(name); d != nil && first(d.Args) != "off" {
			asked = append(asked, d.at()+" "+d.Name)
		}
	}
	if d := p.last("ssl_verify_client"); d != nil && first(d.Args) != "off" {
		asked = append(asked, d.at()+" "+d.words())
	}
	if served && len(asked) > 0 {
		route.Access.Closed = strings.Join(asked, ", ") + " has no counterpart"
	}
	if p.who == nil || !served {
		return
	}
	if p.arg("satisfy") == "any" && len(asked) > 0 {
		route.Notes = append(route.Notes, t.note(p.last("satisfy"), "addresses and authorize hold both: write the addresses of those who need no credential as an API or stage of its own"))
		return
	}
	p.who.put(route.Keys)
}

// throttle carries over a location's own limit_req; a server's is the API's.
func (t *table) throttle(p *place, route *importer.Route) {
	all, at := p.nearest("limit_req")
	switch {
	case len(all) == 0 || at == t.server.parent:
		return
	case at != t.server.scope:
		if shared, _ := t.server.nearest("limit_req"); len(shared) > 0 {
			route.Notes = append(route.Notes, t.note(all[0], "it counts beside "+shared[0].at()+" here, not in its place"))
		}
		throttles, notes := t.throttles(p.scope, all)
		route.Notes = append(route.Notes, notes...)
		route.Keys.Put("throttle", throttles)
	case !t.api.Keys.Has("throttle"):
		throttles, notes := t.throttles(p.scope, all)
		t.api.Keys.Note(notes...)
		t.api.Keys.Put("throttle", throttles)
	}
}

// own are request headers that the gateway writes by itself.
var own = []string{"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "upgrade", "connection", "host", "x-forwarded-scheme"}

func (t *table) headers(p *place, route *importer.Route) {
	request, response := importer.Flow(), importer.Flow()
	set, removed := importer.Flow(), []string{}
	sent, _ := p.nearest("proxy_set_header")
	for _, d := range sent {
		if len(d.Args) != 2 {
			continue
		}
		name, value := strings.ToLower(d.Args[0]), d.Args[1]
		switch {
		case slices.Contains(own, name):
		case set.Has(name) || slices.Contains(removed, name):
			// nginx would send both; one is enough
		case value == "" && forbidden(name):
		case value == "":
			removed = append(removed, name)
		case strings.EqualFold(value, "$http_"+strings.ReplaceAll(name, "-", "_")):
			// the client's own passes
		case forbidden(name):
			route.Notes = append(route.Notes, t.note(d, "this header belongs to the connection"))
		default:
			t.value(p, d, name, value, set, route)
		}
	}
	request.Put("set", set).Put("remove", removed)
	added := importer.Flow()
	all, _ := p.nearest("add_header")
	for _, d := range all {
		if len(d.Args) < 2 || strings.EqualFold(d.Args[0], "Strict-Transport-Security") {
			continue
		}
		name := strings.ToLower(d.Args[0])
		if added.Has(name) || forbidden(name) || d.Args[1] == "" {
			route.Notes = append(route.Notes, t.note(d, "not carried over"))
			continue
		}
		t.value(p, d, name, d.Args[1], added, route)
	}
	response.Put("add", added)
	var hidden []string
	all, _ = p.nearest("proxy_hide_header")
	for _, d := range all {
		if name := strings.ToLower(first(d.Args)); name != "" && !slices.Contains(hidden, name) && !forbidden(name) {
			hidden = append(hidden, name)
		}
	}
	response.Put("remove", hidden)
	headers := importer.NewMap().Put("request", request).Put("response", response)
	route.Keys.Put("headers", headers)
}

// forbidden are the names that no rule may change, and those that are no names.
func forbidden(name string) bool { return !importer.IsHeader(name) }

func (t *table) value(p *place, d *Directive, name, value string, into *importer.Map, route *importer.Route) {
	written, dynamic, ok := p.template(value)
	switch {
	case !ok:
		route.Notes = append(route.Notes, t.note(d, "a header's value holds text, ${client.ip}, ${request.id}, ${principal.id}, ${path.NAME} and stage variables"))
	case dynamic:
		into.Put(name, importer.Template(written))
	default:
		into.Put(name, p.expand(value))
	}
}

// gzip carries compression over.
func (t *table) gzip(p *place, route *importer.Route) {
	if p.arg("gzip") != "on" {
		return
	}
	m := importer.Flow()
	if d := p.last("gzip_types"); d != nil && !slices.Contains(d.Args, "*") {
		var types []string
		for _, name := range append([]string{"text/html"}, d.Args...) {
			if mediaType(name) && !slices.Contains(types, name) {
				types = append(types, name)
			}
		}
		m.Put("types", types)
	}
	if size, ok := parseSize(p.arg("gzip_min_length")); ok && size <= 1<<20 {
		m.Put("min-size", importer.Raw(sizeText(size)))
	}
	if m.Empty() {
		route.Keys.Put("compress", true)
		return
	}
	route.Keys.Put("compress", m)
}

func mediaType(s string) bool {
	kind, rest, ok := strings.Cut(s, "/")
	letters := "abcdefghijklmnopqrstuvwxyz0123456789.+-"
	return ok && kind != "" && rest != "" && strings.Trim(strings.ToLower(kind), letters) == "" && strings.Trim(strings.ToLower(rest), letters) == ""
}

// timeouts carries over how long nginx waits for a service; the route's own
// timeout is no shorter.
func (t *table) timeouts(p *place, route *importer.Route) *importer.Map {
	m := importer.Flow()
	longest := time.Duration(0)
	bound := func(d, least, most time.Duration) time.Duration { return min(max(d, least), most) }
	if d, ok := parseTime(p.arg("proxy_connect_timeout")); ok {
		m.Put("connect", importer.Raw(timeText(bound(d, time.Millisecond, 10*time.Minute))))
	}
	if d, ok := parseTime(p.arg("proxy_read_timeout")); ok {
		d = bound(d, time.Millisecond, 24*time.Hour)
		m.Put("answer", importer.Raw(timeText(d))).Put("idle", importer.Raw(timeText(d)))
		longest = d
	}
	if longest > 30*time.Second {
		route.Keys.Put("timeout", importer.Raw(timeText(min(longest, time.Hour))))
	}
	return m
}

package kong

import (
	"slices"
	"strings"

	"gatehouse/importer"
	"gatehouse/importer/value"
)

// transform carries request-transformer and response-transformer over, as far as
// they are about headers.
func (c *converter) transform(p plugin, one *importer.Route) {
	side := "request"
	if p.name == "response-transformer" {
		side = "response"
	}
	for _, what := range []string{"remove", "rename", "replace", "add", "append"} {
		section := p.config.Get(what)
		for _, key := range section.Keys() {
			if key != "headers" && len(section.Get(key).Items()) > 0 {
				one.Notes = append(one.Notes, c.note(section.Get(key), p.name+" "+what+"."+key+": headers alone are changed, and paths by rewrite"))
			}
		}
		if what == "rename" && len(section.Get("headers").Items()) > 0 {
			one.Notes = append(one.Notes, c.note(section.Get("headers"), p.name+" rename.headers: not carried over"))
			continue
		}
		for _, item := range section.Get("headers").Items() {
			c.header(p, one, side, what, item)
		}
	}
	if p.config.Get("allow").There() || p.config.Get("http_method").There() {
		one.Notes = append(one.Notes, c.note(p.Node, p.name+": http_method and allow are not carried over"))
	}
}

// header carries one rule over. Kong's add sets a header that is not there: here
// it is set whatever there is, so that a client's own does not stand in for it.
func (c *converter) header(p plugin, one *importer.Route, side, what string, item value.Node) {
	name, value, _ := strings.Cut(item.Text(), ":")
	name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
	if !importer.IsHeader(name) {
		one.Notes = append(one.Notes, c.note(item, p.name+" "+what+": nothing may change the header "+name+" here"))
		return
	}
	change := one.Keys.Sub("headers").Sub(side)
	switch what {
	case "remove":
		removed, _ := change.Get("remove").([]string)
		if !slices.Contains(removed, name) {
			change.Set("remove", append(removed, name))
		}
		return
	case "replace":
		one.Notes = append(one.Notes, c.note(item, p.name+" replace: it is set here, also where there is none"))
		fallthrough
	case "add":
		what = "set"
	default:
		what = "add"
	}
	if value == "" || strings.Contains(value, "$(") || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		one.Notes = append(one.Notes, c.note(item, p.name+": a header's value holds text, ${client.ip}, ${request.id}, ${principal.id}, ${path.NAME} and stage variables"))
		return
	}
	if m := change.Sub(what); !m.Has(name) {
		m.Put(name, value)
	}
}

// cors carries cors over.
func (c *converter) cors(p plugin, one *importer.Route) {
	m := importer.NewMap()
	origins := p.config.Get("origins").Texts()
	if len(origins) == 0 {
		origins = []string{"*"}
	}
	var known []string
	for _, o := range origins {
		if origin, ok := originOf(o); ok && !slices.Contains(known, origin) {
			known = append(known, origin)
		} else if !ok {
			one.Notes = append(one.Notes, c.note(p.config.Get("origins"), "cors: "+o+" is no origin such as https://shop.test or https://*.shop.test"))
		}
	}
	if slices.Contains(known, "*") {
		known = []string{"*"}
	}
	if len(known) == 0 {
		return
	}
	m.Put("origins", known)
	var methods []string
	for _, name := range p.config.Get("methods").Texts() {
		if name = strings.ToUpper(name); slices.Contains(importer.Methods, name) && !slices.Contains(methods, name) {
			methods = append(methods, name)
		}
	}
	m.Put("methods", methods)
	m.Put("headers", names(p.config.Get("headers").Texts()))
	m.Put("expose", names(p.config.Get("exposed_headers").Texts()))
	if p.config.Get("credentials").IsTrue() {
		if known[0] == "*" || slices.Contains(known, "null") || slices.Contains(names(p.config.Get("exposed_headers").Texts()), "*") {
			one.Notes = append(one.Notes, c.note(p.Node, "cors: with credentials and every origin any page could act as its reader: name the origins, then say credentials: true"))
		} else {
			m.Put("credentials", true)
		}
	}
	if age := p.config.Get("max_age").Integer(0); age > 0 {
		m.Put("max-age", importer.Raw(seconds(float64(age), 1, 86400)))
	}
	if p.config.Get("preflight_continue").IsTrue() {
		one.Notes = append(one.Notes, c.note(p.Node, "cors: preflights are answered here, by the gateway"))
	}
	one.Keys.Put("cors", m)
}

// names are those of headers, in small letters.
func names(all []string) (out []string) {
	for _, name := range all {
		name = strings.ToLower(name)
		if name == "*" {
			return []string{"*"}
		}
		if importer.IsName(name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// originOf reads an origin without a regular expression in it.
func originOf(o string) (string, bool) {
	o = strings.ToLower(strings.TrimSuffix(o, "/"))
	if o == "*" || o == "null" {
		return o, true
	}
	scheme, host, ok := strings.Cut(o, "://")
	if !ok || strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz") != "" || scheme == "" {
		return "", false
	}
	name, port, ported := strings.Cut(host, ":")
	if ported && (port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "" || port[0] == '0') {
		return "", false
	}
	return o, importer.IsDomain(name)
}

package nginx

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/importer"
)

// proxy carries a proxy_pass over: the service, and the path that it sees.
func (t *table) proxy(p *place, d *Directive, route *importer.Route) {
	route.Target = "mock:503"
	address := p.expand(first(d.Args))
	looked := address != first(d.Args) // up by name at run time, where a variable stands
	scheme, rest, ok := strings.Cut(address, "://")
	if scheme = strings.ToLower(scheme); !ok || scheme != "http" && scheme != "https" {
		route.Notes = append(route.Notes, t.note(d, "a service is http://HOST:PORT or https://HOST:PORT: put its address in place of mock:503"))
		return
	}
	host, uri := rest, ""
	if at := strings.IndexByte(rest, '/'); at >= 0 {
		host, uri = rest[:at], rest[at:]
	} else if base, keeps := strings.CutSuffix(rest, "$request_uri"); keeps {
		host, uri = base, ""
	} else if base, keeps := strings.CutSuffix(rest, "$uri"); keeps {
		host, uri = base, ""
	}
	if uri == "/$request_uri" || uri == "$request_uri" {
		uri = ""
	}
	if strings.HasPrefix(host, "unix:") || len(variablesOf(host)) > 0 || host == "" {
		route.Notes = append(route.Notes, t.note(d, "what a client sends chooses no service, and services are spoken to by TCP: put its address in place of mock:503"))
		return
	}
	if len(variablesOf(uri)) > 0 {
		route.Notes = append(route.Notes, t.note(d, "a path with variables has no counterpart but rewrite: its parameters, and stage variables"))
		return
	}
	service, problem := t.service(p, scheme, host, looked, route)
	if problem != "" {
		route.Notes = append(route.Notes, t.note(d, problem))
		return
	}
	route.Target = "service:" + service
	t.path(p, d, uri, route)
}

// path carries over which path the service sees.
func (t *table) path(p *place, d *Directive, uri string, route *importer.Route) {
	if rewrites := p.own("rewrite"); len(rewrites) > 0 {
		t.rewrite(p, rewrites, uri, route)
		return
	}
	if uri == "" {
		return
	}
	uri, query, _ := strings.Cut(uri, "?")
	if query != "" {
		route.Notes = append(route.Notes, t.note(d, "a rewrite adds no query"))
	}
	segments, ok := importer.Segments(uri)
	if !ok {
		route.Notes = append(route.Notes, t.note(d, "no rewrite can have this path"))
		return
	}
	ends := strings.HasSuffix(uri, "/")
	base := "/" + strings.Join(segments, "/")
	switch {
	case p.exact && ends && len(segments) > 0:
		route.Keys.Put("rewrite", base+"/")
	case p.exact:
		route.Keys.Put("rewrite", base)
	case p.slash != ends && len(p.segments) > 0:
		route.Notes = append(route.Notes, t.note(d, "nginx puts what is behind "+p.path+" to "+uri+" without a / between them, or with two: look at the paths that the service gets"))
		fallthrough
	default:
		t.rest0(base, p, route)
	}
}

// rest0 rewrites to base and the rest of the path; nothing where that is the path
// that came.
func (t *table) rest0(base string, p *place, route *importer.Route) {
	if base == "/"+strings.Join(p.segments, "/") {
		return
	}
	if base != "/" {
		base += "/"
	}
	route.Keys.Put("rewrite", base+"{proxy}")
}

// rewrite carries over the one kind of rewrite that has a counterpart: one that
// puts another beginning before the rest of the path.
func (t *table) rewrite(p *place, all []*Directive, uri string, route *importer.Route) {
	if len(all) == 1 && !p.exact {
		if base, ok := rebase(all[0], "/"+strings.Join(p.segments, "/")); ok {
			t.rest0(base, p, route)
			return
		}
	}
	for _, d := range all {
		route.Notes = append(route.Notes, t.note(d, "a rewrite puts another beginning before the rest of the path: rewrite: /other/{proxy}"))
	}
}

// rebase reads ^BASE/(.*)$ NEW/$1, and returns NEW for the base of a location.
func rebase(d *Directive, base string) (string, bool) {
	if len(d.Args) < 2 || len(d.Args) > 3 || len(d.Args) == 3 && d.Args[2] != "break" && d.Args[2] != "last" {
		return "", false
	}
	from := strings.TrimSuffix(strings.TrimPrefix(d.Args[0], "^"), "$")
	inside := "" // of the group, before the rest
	for _, group := range []string{"(/.*)", "(/.+)", "(/?.*)"} {
		if rest, ok := strings.CutSuffix(from, group); ok {
			from, inside = rest, "/"
		}
	}
	for _, group := range []string{"(.*)", "(.+)"} {
		if rest, ok := strings.CutSuffix(from, group); ok && inside == "" {
			from, inside = rest, "."
		}
	}
	from = strings.TrimSuffix(from, "/?")
	plain, ok := literal(from)
	to, one := strings.CutSuffix(d.Args[1], "$1")
	if !ok || inside == "" || !one || len(variablesOf(to)) > 0 || strings.ContainsAny(to, "?$ ") {
		return "", false
	}
	if strings.TrimSuffix(plain, "/") != strings.TrimSuffix(base, "/") {
		return "", false
	}
	// What the group takes begins with / unless the text before it ends with one.
	if begins := !strings.HasSuffix(plain, "/"); begins == strings.HasSuffix(to, "/") && !(begins && to == "") {
		if !(to == "/" && !begins) {
			return "", false
		}
	}
	segments, ok := importer.Segments("/" + strings.Trim(to, "/"))
	return "/" + strings.Join(segments, "/"), ok
}

// literal takes the escapes off a regular expression that holds nothing else.
func literal(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`./-_~+`, s[i+1]) >= 0:
			i++
			b.WriteByte(s[i])
		case strings.IndexByte(`\.+*?()[]{}|^$`, c) >= 0 && c != '.':
			return "", false
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), true
}

// service returns the name of the service for a proxy_pass.
func (t *table) service(p *place, scheme, host string, looked bool, route *importer.Route) (name, problem string) {
	s := &importer.Service{Targets: importer.NewList(), Keys: importer.NewMap()}
	port := map[string]string{"http": "80", "https": "443"}[scheme]
	label := host
	switch d := t.upstreams[host]; {
	case d != nil:
		s.Notes = append(s.Notes, d.at()+", for "+p.d.at())
		if problem = t.group(d, port, s); problem != "" {
			return "", problem
		}
	default:
		target, ok := withPort(host, port)
		if !ok {
			return "", "this is no address of a service"
		}
		if label, _, _ = net.SplitHostPort(target); net.ParseIP(label) != nil || label == "localhost" {
			label = target
		} else if looked {
			target = "dns:" + target
		}
		s.Targets.Add(target)
	}
	t.host(p, host, scheme, s)
	if scheme == "https" {
		t.tls(p, s, route)
	}
	s.Keys.Put("timeouts", t.timeouts(p, route))
	return t.known(s, label), ""
}

// known returns the name of a service like this one, which is made where there
// is none.
func (t *table) known(s *importer.Service, label string) string {
	key := importer.Fingerprint(s)
	if made := t.made[key]; made != nil {
		return made.Name
	}
	s.Name = t.services.Of(label, "service")
	t.made[key] = s
	t.config.Services = append(t.config.Services, s)
	return s.Name
}

// host carries over which Host the service sees.
func (t *table) host(p *place, host, scheme string, s *importer.Service) {
	value := "$proxy_host"
	all, _ := p.nearest("proxy_set_header")
	for _, d := range all {
		if len(d.Args) == 2 && strings.EqualFold(d.Args[0], "Host") {
			value = p.expand(d.Args[1])
		}
	}
	switch value {
	case "$host", "$http_host", "$host:$server_port", "$http_host:$server_port":
		s.Keys.Put("host", "preserve")
	case "$proxy_host":
		if t.upstreams[host] != nil && validName(host) {
			s.Keys.Put("host", host) // as nginx does
		}
		_ = scheme
	default:
		if validName(value) {
			s.Keys.Put("host", value)
		}
	}
}

func validName(s string) bool {
	return s != "" && s != "target" && s != "preserve" && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789-._:") == ""
}

// tls carries over how nginx speaks TLS to a service.
func (t *table) tls(p *place, s *importer.Service, route *importer.Route) {
	m := importer.Flow()
	if p.arg("proxy_ssl_verify") != "on" {
		route.Notes = append(route.Notes, t.note(p.own("proxy_pass")[0], "nginx did not ask whose certificate it is (proxy_ssl_verify): here it is always verified. Name the authority under tls.ca of the service where it is not a public one"))
	}
	if name := p.arg("proxy_ssl_name"); validName(name) {
		m.Put("server-name", name)
	}
	if d := p.last("proxy_ssl_trusted_certificate"); d != nil {
		if file := t.path0(d); t.readable(file) {
			m.Put("ca", file)
		} else {
			s.Notes = append(s.Notes, t.note(d, "the file is not here to be read: put ca: "+file+" under tls where it is"))
		}
	}
	if m.Empty() {
		s.Keys.Put("tls", importer.Raw("{}"))
		return
	}
	s.Keys.Put("tls", m)
}

func (t *table) path0(d *Directive) string { return t.converter.path(d) }

// withPort adds the port where there is none.
func withPort(host, port string) (string, bool) {
	if h, p, err := net.SplitHostPort(host); err == nil {
		host, port = h, p
	} else {
		host = strings.Trim(host, "[]")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" || !isHost(host) {
		return "", false
	}
	return net.JoinHostPort(host, port), true
}

// group carries an upstream block over.
func (t *table) group(d *Directive, port string, s *importer.Service) (problem string) {
	var limits []string
	fails, out := 0, time.Duration(0)
	for _, inner := range d.Block {
		switch inner.Name {
		case "server":
			t.member(inner, port, s, &limits)
			if n, d := failsOf(inner); n > 0 && (fails == 0 || n < fails) {
				fails, out = n, d
			}
		case "least_conn":
			s.Keys.Put("balance", "least-requests")
		case "ip_hash":
			s.Keys.Put("balance", "hash")
		case "hash":
			t.hash(inner, s)
		case "random":
			s.Notes = append(s.Notes, t.note(inner, "round-robin stands for it"))
		case "zone", "keepalive", "keepalive_requests", "keepalive_timeout", "keepalive_time":
		default:
			s.Notes = append(s.Notes, t.note(inner, "not carried over"))
		}
	}
	if len(s.Targets.Items()) == 0 {
		return "its upstream has no server that can be carried over: put an address in place of mock:503"
	}
	if fails > 0 {
		s.Keys.Put("outliers", importer.Flow().Put("consecutive", min(fails, 1000)).Put("ejection", importer.Raw(timeText(out))).Put("status", "502,504"))
	}
	limits = slices.Compact(limits)
	if len(limits) == 1 && limits[0] != "" {
		s.Keys.Put("pool", importer.Flow().Put("max-connections", importer.Raw(limits[0])))
	}
	return ""
}

// member carries one server of an upstream block over.
func (t *table) member(d *Directive, port string, s *importer.Service, limits *[]string) {
	target, ok := withPort(first(d.Args), port)
	if !ok || strings.HasPrefix(first(d.Args), "unix:") {
		s.Notes = append(s.Notes, t.note(d, "a target is HOST:PORT"))
		return
	}
	weight, most := 1, ""
	for _, arg := range d.Args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "weight":
			weight, _ = strconv.Atoi(value)
		case "max_conns":
			if n, err := strconv.ParseUint(value, 10, 20); err == nil && n > 0 {
				most = strconv.FormatUint(n, 10)
			}
		case "down":
			s.Targets.Note(t.note(d, "a target that is down is left out"))
			return
		case "backup":
			s.Targets.Note(t.note(d, "it gets requests like any other: take it out unless you want that"))
		case "max_fails", "fail_timeout":
		case "resolve":
			target = "dns:" + target
		default:
			s.Targets.Note(t.note(d, arg+" is not carried over"))
		}
	}
	*limits = append(*limits, most)
	if weight = min(max(weight, 1), 1000); weight == 1 {
		s.Targets.Add(target)
		return
	}
	s.Targets.Add(importer.Flow().Put("address", target).Put("weight", weight))
}

// failsOf reads max_fails and fail_timeout, where the first is said.
func failsOf(d *Directive) (fails int, out time.Duration) {
	out = 10 * time.Second
	for _, arg := range d.Args {
		if value, ok := strings.CutPrefix(arg, "max_fails="); ok {
			fails, _ = strconv.Atoi(value)
		}
		if value, ok := strings.CutPrefix(arg, "fail_timeout="); ok {
			if said, ok := parseTime(value); ok {
				out = min(max(said, 100*time.Millisecond), time.Hour)
			}
		}
	}
	return fails, out
}

// hash carries over what an upstream's server is picked by.
func (t *table) hash(d *Directive, s *importer.Service) {
	key := ""
	switch value := first(d.Args); {
	case value == "$remote_addr" || value == "$binary_remote_addr":
		key = "client"
	case value == "$uri" || value == "$request_uri":
		key = "path"
	case strings.HasPrefix(value, "$http_"):
		key = "header:" + strings.ReplaceAll(strings.TrimPrefix(value, "$http_"), "_", "-")
	case strings.HasPrefix(value, "$cookie_"):
		key = "cookie:" + strings.TrimPrefix(value, "$cookie_")
	default:
		s.Notes = append(s.Notes, t.note(d, "a hash is of client, path, header:NAME or cookie:NAME: round-robin stands for it"))
		return
	}
	s.Keys.Put("balance", importer.Flow().Put("hash", key))
}

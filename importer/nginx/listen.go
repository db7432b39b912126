package nginx

import (
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"gatehouse/importer"
)

// server is one server block.
type server struct {
	*scope
	block     *Directive
	names     []string // as written
	listeners []*listener
	redirects bool // does nothing but send clients to https
}

// listener is an address that servers listen on.
type listener struct {
	address string
	tls     bool
	proxied bool // speaks the PROXY protocol
	servers []*server
	first   *server // for hosts that no server names
	by      *Directive
}

// servers finds the server blocks and what they listen on.
func (c *converter) servers(http *scope) (all []*server) {
	for _, d := range http.own("server") {
		if !d.block {
			continue
		}
		s := &server{scope: http.within(d.Block), block: d}
		for _, n := range s.own("server_name") {
			s.names = append(s.names, n.Args...)
		}
		all = append(all, s)
	}
	return all
}

// listeners carries over what servers listen on. Here every listener serves
// every API, where nginx ties servers to addresses.
func (c *converter) listeners(servers []*server) {
	byAddress := map[string]*listener{}
	var all []*listener
	for _, s := range servers {
		s.redirects = s.onlyRedirects()
		for _, d := range s.listens() {
			l := parseListen(d, s)
			if l == nil {
				c.config.Listen.Note(c.note(d, "no such address here: HOST:PORT alone"))
				continue
			}
			if known := byAddress[l.address]; known != nil {
				known.tls = known.tls || l.tls
				if slices.Contains(d.Args, "default_server") || slices.Contains(d.Args, "default") {
					known.first = s
				}
				l = known
			} else {
				byAddress[l.address] = l
				all = append(all, l)
			}
			if !slices.Contains(l.servers, s) {
				l.servers = append(l.servers, s)
				s.listeners = append(s.listeners, l)
			}
		}
	}
	secured := slices.ContainsFunc(all, func(l *listener) bool { return l.tls })
	if len(all) == 0 {
		all = append(all, &listener{address: "127.0.0.1:8443", tls: true, by: servers[0].block})
	}
	for _, l := range all {
		c.listen(l, secured, servers)
	}
}

// listens are a server's, or what nginx takes for them.
func (s *server) listens() []*Directive {
	if found := s.own("listen"); len(found) > 0 {
		return found
	}
	return []*Directive{{Name: "listen", Args: []string{"80"}, File: s.block.File, Line: s.block.Line}}
}

func parseListen(d *Directive, s *server) *listener {
	if len(d.Args) == 0 || strings.HasPrefix(d.Args[0], "unix:") {
		return nil
	}
	host, port, err := net.SplitHostPort(d.Args[0])
	switch {
	case err == nil:
	case strings.Trim(d.Args[0], "0123456789") == "":
		host, port = "", d.Args[0]
	default:
		host, port = strings.Trim(d.Args[0], "[]"), "80"
	}
	if host == "*" || host == "0.0.0.0" || host == "::" {
		host = ""
	}
	if port == "" || strings.Trim(port, "0123456789") != "" || len(port) > 5 || !isHost(host) {
		return nil
	}
	ssl := s.arg("ssl") == "on"
	return &listener{
		address: net.JoinHostPort(host, port), first: s, by: d,
		tls:     ssl || slices.Contains(d.Args[1:], "ssl") || slices.Contains(d.Args[1:], "quic"),
		proxied: slices.Contains(d.Args[1:], "proxy_protocol"),
	}
}

// isHost reports whether s could be a host's name or address.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil || s == "" {
		return true
	}
	return strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

// listen carries one listener over.
func (c *converter) listen(l *listener, secured bool, servers []*server) {
	m := importer.NewMap().Put("address", l.address)
	var notes []string
	switch {
	case l.tls:
		notes = append(notes, c.certificates(l, m)...)
	case secured && !slices.ContainsFunc(l.servers, func(s *server) bool { return !s.redirects }):
		m.Put("redirect", "https")
	}
	if !m.Has("redirect") {
		notes = append(notes, c.exposed(l, servers)...)
	}
	if body, ok := parseSize(l.by0().arg("client_max_body_size")); ok {
		m.Put("limits", importer.Flow().Put("body", importer.Raw(sizeText(body))))
	} else {
		m.Note("nginx's own default.")
		m.Put("limits", importer.Flow().Put("body", importer.Raw("1MiB")))
	}
	notes = append(notes, c.trusted(l, m)...)
	c.config.Listen.Note(notes...)
	c.config.Listen.Add(m)
}

// by0 is the scope that all servers of a listener have in common.
func (l *listener) by0() *scope {
	if len(l.servers) == 0 || l.servers[0].parent == nil {
		return &scope{}
	}
	return l.servers[0].parent
}

// exposed tells which servers can be reached at a listener now that could not
// before.
func (c *converter) exposed(l *listener, servers []*server) (notes []string) {
	var others []string
	secured := false
	for _, s := range servers {
		if slices.Contains(l.servers, s) || s.redirects {
			continue
		}
		others = append(others, s.block.at())
		secured = secured || slices.ContainsFunc(s.listeners, func(l *listener) bool { return l.tls })
	}
	if len(others) == 0 || len(l.servers) == 0 {
		return nil
	}
	text := "every listener serves every API here: servers that did not listen on " + l.address + " are reached there now (" + strings.Join(others, ", ") + ")"
	if secured && !l.tls {
		text += ", without TLS: say redirect: https in place of serving there, unless clients need it"
	}
	return []string{c.grave(l.by, text)}
}

// certificates carries over what a listener shows clients.
func (c *converter) certificates(l *listener, m *importer.Map) (notes []string) {
	list := importer.NewList()
	seen := map[string]bool{}
	missing := false
	minimum := "1.2"
	servers := slices.Clone(l.servers)
	if i := slices.Index(servers, l.first); i > 0 {
		servers[0], servers[i] = servers[i], servers[0]
	}
	for _, s := range servers {
		certs, _ := s.nearest("ssl_certificate")
		keys, _ := s.nearest("ssl_certificate_key")
		for i := range min(len(certs), len(keys)) {
			cert, key := c.path(certs[i]), c.path(keys[i])
			if seen[cert] {
				continue
			}
			seen[cert] = true
			if !c.readable(cert) || !c.readable(key) {
				notes = append(notes, c.note(certs[i], "the file, or its key, is not here to be read: put {cert: "+cert+", key: "+key+"} among certificates where it is"))
				missing = true
				continue
			}
			list.Add(importer.Flow().Put("cert", cert).Put("key", key))
		}
		if p := s.last("ssl_protocols"); p != nil && !slices.Contains(p.Args, "TLSv1.2") && slices.Contains(p.Args, "TLSv1.3") {
			minimum = "1.3"
		} else if p != nil && (slices.Contains(p.Args, "TLSv1") || slices.Contains(p.Args, "TLSv1.1")) {
			notes = append(notes, c.note(p, "TLS before 1.2 is not spoken here"))
		}
	}
	t := importer.NewMap()
	if missing || len(seen) == 0 {
		t.Put("certificates", "internal")
	} else {
		t.Put("certificates", list)
	}
	if minimum != "1.2" {
		t.Put("min-version", minimum)
	}
	c.hsts(servers, t)
	m.Put("tls", t)
	return notes
}

// hsts keeps Strict-Transport-Security as it was: what browsers have been told
// they do not forget.
func (c *converter) hsts(servers []*server, t *importer.Map) {
	for _, s := range servers {
		headers, _ := s.nearest("add_header")
		for _, d := range headers {
			if len(d.Args) > 1 && strings.EqualFold(d.Args[0], "Strict-Transport-Security") {
				for part := range strings.SplitSeq(d.Args[1], ";") {
					if age, ok := strings.CutPrefix(strings.TrimSpace(strings.ToLower(part)), "max-age="); ok {
						if seconds, ok := parseTime(age); ok {
							t.Put("hsts", importer.Raw(timeText(seconds)))
							return
						}
					}
				}
			}
		}
	}
	t.Note("nginx did not send Strict-Transport-Security; without this line it is sent for a year.")
	t.Put("hsts", importer.Raw("0s"))
}

// path is a file's, from nginx's folder.
func (c *converter) path(d *Directive) string {
	if len(d.Args) == 0 {
		return ""
	}
	name := d.Args[0]
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(c.file), name)
	}
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}

func (c *converter) readable(name string) bool {
	_, err := c.files.Read(name)
	return err == nil
}

// trusted carries over which peers may say who the client is.
func (c *converter) trusted(l *listener, m *importer.Map) (notes []string) {
	var from []string
	header := ""
	for _, s := range l.servers {
		all, _ := s.nearest("set_real_ip_from")
		for _, d := range all {
			prefix, ok := importer.Prefix(first(d.Args))
			if !ok {
				notes = append(notes, c.note(d, "trusted-proxies takes addresses and prefixes alone"))
				continue
			}
			if !slices.Contains(from, prefix) {
				from = append(from, prefix)
			}
		}
		if h := s.last("real_ip_header"); h != nil {
			header = strings.ToLower(first(h.Args))
			if header != "x-forwarded-for" && header != "proxy_protocol" && header != "forwarded" {
				notes = append(notes, c.note(h, "trusted proxies name the client in X-Forwarded-For or Forwarded, or by the PROXY protocol"))
			}
		}
	}
	if header == "" && len(from) > 0 {
		notes = append(notes, c.config.Note(importer.Note{File: filepath.Base(l.by.File), Line: l.by.Line, Text: "trusted proxies name the client in X-Forwarded-For or Forwarded: real_ip_header is not said, which means X-Real-IP in nginx"}))
	}
	m.Put("trusted-proxies", from)
	switch {
	case l.proxied && len(from) > 0:
		m.Put("proxy-protocol", "require")
	case l.proxied:
		notes = append(notes, c.grave(l.by, "a PROXY header is believed from trusted-proxies alone: name them, and say proxy-protocol: require"))
	}
	if header == "forwarded" && len(from) > 0 {
		m.Put("client-address", "forwarded")
	}
	return notes
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// onlyRedirects reports whether a server does nothing but send clients to https,
// as the usual neighbours of an https server do, certbot's among them.
func (s *server) onlyRedirects() bool {
	found := false
	for _, d := range s.all {
		switch d.Name {
		case "return":
			if toHTTPS(d) {
				found = true
			} else if first(d.Args) != "404" && first(d.Args) != "444" {
				return false
			}
		case "rewrite":
			if len(d.Args) < 2 || !strings.HasPrefix(d.Args[1], "https://$") {
				return false
			}
			found = true
		case "if":
			for _, inner := range d.Block {
				if !toHTTPS(inner) {
					return false
				}
				found = true
			}
		case "location":
			for _, inner := range d.Block {
				if inner.Name != "root" && inner.Name != "alias" && inner.Name != "allow" && inner.Name != "default_type" && inner.Name != "try_files" && !toHTTPS(inner) {
					return false
				}
				found = found || toHTTPS(inner)
			}
		}
	}
	return found
}

func toHTTPS(d *Directive) bool {
	return d.Name == "return" && len(d.Args) == 2 && strings.HasPrefix(d.Args[1], "https://$") && strings.HasSuffix(d.Args[1], "$request_uri")
}

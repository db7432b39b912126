package kong

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gatehouse/importer"
	"gatehouse/importer/value"
)

// target writes what answers a route, and the path that it sees.
func (c *converter) target(r *route, p pattern, one *importer.Route) {
	one.Target = "mock:503"
	if t := r.plugin("request-termination"); t != nil {
		status := t.config.Get("status_code").Integer(503)
		if status < 200 || status > 599 {
			status = 503
		}
		one.Target = fmt.Sprintf("mock:%d", status)
		if t.config.Get("message").There() || t.config.Get("body").There() {
			one.Notes = append(one.Notes, c.note(t.Node, "request-termination: a mock answers with an empty JSON object"))
		}
		return
	}
	switch {
	case !r.service.There():
		one.Notes = append(one.Notes, c.note(r.Node, "no service stands behind it: put a target in place of mock:503"))
		return
	case r.service.Get("enabled").IsFalse():
		one.Notes = append(one.Notes, c.note(r.service, "the service is not enabled"))
		return
	}
	name, base, problem := c.service(r)
	if problem != "" {
		one.Notes = append(one.Notes, c.note(r.service, problem))
		return
	}
	one.Target = "service:" + name
	c.rewrite(r, p, base, one)
}

// rewrite writes which path a service sees: Kong takes the route's path off, and
// puts the service's before the rest.
func (c *converter) rewrite(r *route, p pattern, base string, one *importer.Route) {
	if r.Get("strip_path").IsFalse() {
		if base == "/" {
			return
		}
		rest := strings.TrimPrefix(strings.ReplaceAll(p.text, "*}", "}"), "/")
		one.Keys.Put("rewrite", base+"/"+rest)
		return
	}
	switch {
	case p.exact:
		one.Keys.Put("rewrite", base)
	case p.prefix == base, p.prefix == "/" && base == "/":
	case base == "/":
		one.Keys.Put("rewrite", "/{proxy}")
	default:
		one.Keys.Put("rewrite", base+"/{proxy}")
	}
}

// service returns the name of the service that a route leads to, and its path.
func (c *converter) service(r *route) (name, base, problem string) {
	scheme, host, port, path, problem := address(r.service)
	if problem != "" {
		return "", "", problem
	}
	segments, ok := importer.Segments(path)
	if !ok {
		return "", "", "no rewrite can have the path " + path
	}
	base = "/" + strings.Join(segments, "/")
	s := &importer.Service{Targets: importer.NewList(), Keys: importer.NewMap(), Notes: []string{c.at(r.service)}}
	if u, known := c.upstream[host]; known {
		s.Notes = append(s.Notes, c.at(u))
		if problem = c.group(u, port, s); problem != "" {
			return "", "", problem
		}
		if header := strings.ToLower(u.Get("host_header").Text()); validHost(header) && !r.Get("preserve_host").IsTrue() {
			s.Keys.Put("host", header)
		}
	} else {
		s.Targets.Add(net.JoinHostPort(host, port))
	}
	if r.Get("preserve_host").IsTrue() {
		s.Keys.Put("host", "preserve")
	}
	if scheme == "https" {
		c.tls(r.service, s)
	}
	c.timeouts(r.service, s)
	key := importer.Fingerprint(s)
	if c.made[key] == nil {
		label := r.service.Get("name").Text()
		if label == "" {
			label = host
		}
		s.Name = c.names.Of(label, "service")
		c.made[key] = s
		c.config.Services = append(c.config.Services, s)
	}
	return c.made[key].Name, base, ""
}

// address is where a service is.
func address(s value.Node) (scheme, host, port, path, problem string) {
	scheme, host, port, path = s.Get("protocol").Text(), s.Get("host").Text(), s.Get("port").Text(), s.Get("path").Text()
	if text := s.Get("url").Text(); text != "" {
		u, err := url.Parse(text)
		if err != nil {
			return "", "", "", "", "its url is none"
		}
		scheme, host, port, path = u.Scheme, u.Hostname(), u.Port(), u.EscapedPath()
	}
	switch scheme {
	case "", "http", "grpc", "ws":
		scheme = "http"
	case "https", "grpcs", "wss":
		scheme = "https"
	default:
		return "", "", "", "", "services are spoken to by HTTP: put a target in place of mock:503"
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || !validHost(strings.ToLower(host)) {
		return "", "", "", "", "it has no address that can be carried over: put a target in place of mock:503"
	}
	if path == "" {
		path = "/"
	}
	if decoded, err := url.PathUnescape(path); err == nil {
		path = decoded
	}
	return scheme, strings.ToLower(host), port, path, ""
}

func validHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return s != "" && s != "target" && s != "preserve" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

func (c *converter) tls(from value.Node, s *importer.Service) {
	if from.Get("tls_verify").IsFalse() || !from.Get("tls_verify").There() {
		s.Notes = append(s.Notes, c.note(from, "Kong does not ask whose certificate it is unless tls_verify says so: here it is always verified. Name the authority under tls.ca where it is not a public one"))
	}
	if from.Get("client_certificate").There() {
		s.Notes = append(s.Notes, c.note(from.Get("client_certificate"), "client_certificate: write tls: {client-certificate: {cert: FILE, key: FILE}}"))
	}
	s.Keys.Put("tls", importer.Raw("{}"))
}

// timeouts carries over those that are said, in milliseconds.
func (c *converter) timeouts(from value.Node, s *importer.Service) {
	m := importer.Flow()
	put := func(key string, n value.Node, most int) {
		if ms := n.Integer(0); ms > 0 {
			m.Put(key, importer.Raw(seconds(float64(min(ms, most))/1000, 0.001, 86400)))
		}
	}
	put("connect", from.Get("connect_timeout"), 600_000)
	put("answer", from.Get("read_timeout"), 86_400_000)
	put("idle", from.Get("read_timeout"), 86_400_000)
	s.Keys.Put("timeouts", m)
}

// group carries an upstream over.
func (c *converter) group(u value.Node, port string, s *importer.Service) (problem string) {
	name := u.Get("name").Text()
	targets := u.Get("targets").Items()
	for _, t := range c.root.Get("targets").Items() {
		if of := t.Get("upstream").Name(); of != "" && (of == name || of == u.Get("id").Text()) {
			targets = append(targets, t)
		}
	}
	type member struct {
		address string
		weight  int
	}
	var members []member
	for _, t := range targets {
		host, p, err := net.SplitHostPort(t.Get("target").Text())
		if err != nil {
			host, p = strings.Trim(t.Get("target").Text(), "[]"), "8000"
		}
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 || !validHost(strings.ToLower(host)) {
			s.Notes = append(s.Notes, c.note(t, "a target is HOST:PORT"))
			continue
		}
		weight := t.Get("weight").Integer(100)
		if weight == 0 {
			s.Targets.Note(c.note(t, "a target of weight 0 is left out"))
			continue
		}
		members = append(members, member{net.JoinHostPort(strings.ToLower(host), p), weight})
	}
	if len(members) == 0 {
		return "its upstream " + name + " has no target: put one in place of mock:503"
	}
	unit, largest := 0, 0
	for _, m := range members {
		unit, largest = gcd(m.weight, unit), max(largest, m.weight)
	}
	for largest/unit > 1000 {
		unit++
	}
	for _, m := range members {
		if weight := max(m.weight/unit, 1); weight > 1 {
			s.Targets.Add(importer.Flow().Put("address", m.address).Put("weight", weight))
			continue
		}
		s.Targets.Add(m.address)
	}
	c.balance(u, s)
	c.health(u, s)
	_ = port
	return ""
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (c *converter) balance(u value.Node, s *importer.Service) {
	hashed := u.Get("hash_on").Text()
	if u.Get("algorithm").Text() == "least-connections" || u.Get("algorithm").Text() == "latency" {
		s.Keys.Put("balance", "least-requests")
		return
	}
	key := ""
	switch hashed {
	case "", "none":
		return
	case "ip":
		key = "client"
	case "path":
		key = "path"
	case "header":
		key = "header:" + u.Get("hash_on_header").Text()
	case "cookie":
		key = "cookie:" + u.Get("hash_on_cookie").Text()
	}
	_, name, named := strings.Cut(key, ":")
	if key == "" || named && (name == "" || strings.EqualFold(name, "host") || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "") {
		s.Notes = append(s.Notes, c.note(u.Get("hash_on"), "hash_on "+hashed+": a hash is of client, path, header:NAME or cookie:NAME: round-robin stands for it"))
		return
	}
	s.Keys.Put("balance", importer.Flow().Put("hash", key))
	if fallback := u.Get("hash_fallback"); fallback.There() && fallback.Text() != "none" {
		s.Notes = append(s.Notes, c.note(fallback, "hash_fallback: not carried over"))
	}
}

// health carries active checks over.
func (c *converter) health(u value.Node, s *importer.Service) {
	checks := u.Get("healthchecks")
	active := checks.Get("active")
	interval, ok := active.Path("healthy", "interval").Number()
	if !ok || interval == 0 {
		interval, ok = active.Path("unhealthy", "interval").Number()
	}
	c.passive(checks.Path("passive", "unhealthy"), s)
	if !ok || interval == 0 {
		return
	}
	m := importer.Flow()
	if kind := active.Get("type").Text(); kind != "tcp" {
		path := active.Get("http_path").Text()
		if path == "" {
			path = "/"
		}
		if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }) {
			s.Notes = append(s.Notes, c.note(active, "healthchecks.active: its path is none: it connects only"))
		} else {
			m.Put("path", path)
		}
	}
	m.Put("interval", importer.Raw(seconds(interval, 0.1, 3600)))
	if timeout, ok := active.Get("timeout").Number(); ok && timeout > 0 {
		m.Put("timeout", importer.Raw(seconds(timeout, 0.01, 600)))
	}
	if n := active.Path("healthy", "successes").Integer(0); n > 0 {
		m.Put("healthy", min(n, 100))
	}
	failures := 0
	for _, key := range []string{"http_failures", "tcp_failures", "timeouts"} {
		if n := active.Path("unhealthy", key).Integer(0); n > 0 && (failures == 0 || n < failures) {
			failures = n
		}
	}
	if failures > 0 {
		m.Put("unhealthy", min(failures, 100))
	}
	m.Put("status", statuses(active.Path("healthy", "http_statuses")))
	s.Keys.Put("health", m)
}

// passive carries over which answers take a target out.
func (c *converter) passive(bad value.Node, s *importer.Service) {
	n := 0
	for _, key := range []string{"http_failures", "tcp_failures", "timeouts"} {
		if failures := bad.Get(key).Integer(0); failures > 0 && (n == 0 || failures < n) {
			n = failures
		}
	}
	if n == 0 {
		return
	}
	m := importer.Flow().Put("consecutive", min(n, 1000))
	m.Put("status", statuses(bad.Get("http_statuses")))
	s.Keys.Put("outliers", m)
}

// statuses writes a list of statuses.
func statuses(list value.Node) string {
	var out []string
	for _, text := range list.Texts() {
		if n, err := strconv.Atoi(text); err == nil && n >= 100 && n <= 599 && !slices.Contains(out, text) {
			out = append(out, strconv.Itoa(n))
		}
	}
	return strings.Join(out, ",")
}

// seconds writes a number of seconds as a duration, within bounds.
func seconds(n, least, most float64) string {
	n = min(max(n, least), most)
	switch {
	case n == float64(int(n)) && int(n)%60 == 0 && n > 0:
		return strconv.Itoa(int(n)/60) + "m"
	case n == float64(int(n)):
		return strconv.Itoa(int(n)) + "s"
	}
	return strconv.Itoa(int(n*1000)) + "ms"
}

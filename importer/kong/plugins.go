package kong

import (
	"slices"
	"strings"

	"gatehouse/importer"
	"gatehouse/importer/value"
)

// plugin is one plugin with its configuration.
type plugin struct {
	value.Node
	name   string
	config value.Node
}

func (c *converter) plugins(list value.Node) (out []plugin) {
	for _, n := range list.Items() {
		if name := n.Get("name").Text(); name != "" {
			out = append(out, plugin{n, name, n.Get("config")})
		}
	}
	return out
}

// attached are the plugins of the top that name a route or a service.
func (c *converter) attached(all []plugin, kind string, to value.Node) (out []plugin) {
	for _, p := range all {
		of := p.Get(kind).Name()
		if of != "" && (of == to.Get("name").Text() || of == to.Get("id").Text()) && !p.Get("consumer").There() {
			out = append(out, p)
		}
	}
	return out
}

// everywhere are the plugins of the top that hold for all.
func (c *converter) everywhere(all []plugin) (out []plugin) {
	for _, p := range all {
		if !p.Get("route").There() && !p.Get("service").There() && !p.Get("consumer").There() && !p.Get("consumer_group").There() {
			out = append(out, p)
		}
	}
	return out
}

// effective leaves of every plugin the first, which is the nearest, and of those
// none that is not enabled.
func effective(all []plugin) (out []plugin) {
	seen := map[string]bool{}
	for _, p := range all {
		if seen[p.name] {
			continue
		}
		seen[p.name] = true
		if !p.Get("enabled").IsFalse() {
			out = append(out, p)
		}
	}
	return out
}

func (r *route) plugin(name string) *plugin {
	for i := range r.plugins {
		if r.plugins[i].name == name {
			return &r.plugins[i]
		}
	}
	return nil
}

// silent are plugins whose work is done without them.
var silent = []string{"prometheus", "request-termination", "file-log", "opentelemetry", "zipkin", "syslog", "tcp-log", "udp-log", "http-log", "statsd", "datadog", "loggly", "post-function-log"}

// askers are plugins that find out who calls.
var askers = []string{
	"key-auth", "key-auth-enc", "basic-auth", "hmac-auth", "jwt", "jwt-signer", "oauth2", "oauth2-introspection", "openid-connect", "ldap-auth", "ldap-auth-advanced",
	"mtls-auth", "session", "vault-auth", "acl", "saml", "header-cert-auth", "opa", "forward-auth", "application-registration",
}

// policies carries the plugins over.
func (c *converter) policies(r *route, one *importer.Route) {
	var asked []string
	throttles := importer.NewList()
	for _, p := range r.plugins {
		if slices.Contains(askers, p.name) || strings.Contains(p.name, "auth") {
			asked = append(asked, c.at(p.Node)+" "+p.name)
			if p.name == "jwt" {
				one.Notes = append(one.Notes, c.note(p.Node, "jwt: write an authorizer with the issuer, the audience and the keys: {jwt: {issuer: ..., audience: ..., jwks: FILE}}"))
			}
		}
	}
	if len(asked) > 0 && !answered(one) {
		one.Access.Closed = strings.Join(asked, ", ") + " has no counterpart that could be made of this file"
	}
	for _, p := range r.plugins {
		switch {
		case slices.Contains(askers, p.name) || strings.Contains(p.name, "auth"), slices.Contains(silent, p.name):
		case p.name == "cors":
			c.cors(p, one)
		case p.name == "rate-limiting":
			c.rates(r, p, one, throttles)
		case p.name == "rate-limiting-advanced":
			c.windows(p, one, throttles)
		case p.name == "request-size-limiting":
			c.size(p, one)
		case p.name == "request-transformer" || p.name == "response-transformer":
			c.transform(p, one)
		case p.name == "ip-restriction":
			c.addresses(p, one)
		case p.name == "correlation-id":
			c.correlation(p, one)
		case p.name == "bot-detection" || p.name == "request-validator" || p.name == "pre-function" || p.name == "injection-protection" || p.name == "app-protect" || p.name == "xml-threat-protection" || p.name == "json-threat-protection":
			one.Notes = append(one.Notes, c.grave(p.Node, p.name+": not carried over"))
		default:
			one.Notes = append(one.Notes, c.note(p.Node, p.name+": not carried over"))
		}
	}
	if len(throttles.Items()) > 0 {
		one.Keys.Put("throttle", throttles)
	}
	c.retries(r, one)
}

func answered(one *importer.Route) bool {
	text, _ := one.Target.(string)
	return strings.HasPrefix(text, "mock:")
}

// retries carries over how often a service is tried again, where that is said,
// and gives routes to slow services the time that these have.
func (c *converter) retries(r *route, one *importer.Route) {
	if answered(one) {
		return
	}
	if n := r.service.Get("retries"); n.There() {
		one.Keys.Put("retries", min(n.Integer(5), 5))
	}
	if ms := r.service.Get("read_timeout").Integer(0); ms > 30_000 {
		one.Keys.Put("timeout", importer.Raw(seconds(float64(ms)/1000, 1, 3600)))
	}
}

// rates carries rate-limiting over: so many in each window.
func (c *converter) rates(r *route, p plugin, one *importer.Route, throttles *importer.List) {
	per := c.per(p, one)
	if per != "" {
		c.apart(p, r, one)
	}
	for _, unit := range []struct{ key, short string }{{"second", "s"}, {"minute", "m"}, {"hour", "h"}, {"day", "d"}, {"month", ""}, {"year", ""}} {
		n := p.config.Get(unit.key).Integer(0)
		switch {
		case n <= 0:
		case unit.short == "":
			one.Notes = append(one.Notes, c.grave(p.config.Get(unit.key), "rate-limiting by "+unit.key+": the longest window is a day: not carried over"))
		case per == "":
			one.Notes = append(one.Notes, c.grave(p.Node, "rate-limiting by "+p.config.Get("limit_by").Text()+": a throttle is per route, ip or principal: not carried over"))
			return
		default:
			n = min(n, 1_000_000)
			throttles.Add(importer.Flow().Put("rate", importer.Raw(importer.Itoa(n)+importer.Raw("/"+unit.short))).Put("burst", n).Put("per", per))
		}
	}
}

// apart tells that what Kong counts for a service, or for all, is counted for
// each route here.
func (c *converter) apart(p plugin, r *route, one *importer.Route) {
	for _, own := range r.Get("plugins").Items() {
		if own.Value == p.Value {
			return
		}
	}
	if p.Get("route").There() {
		return
	}
	one.Notes = append(one.Notes, c.note(p.Node, p.name+": it counts for each route by itself here: say throttle once at the API where all its routes are to be counted together"))
}

// per is whom a limit counts together.
func (c *converter) per(p plugin, one *importer.Route) string {
	switch by := p.config.Get("limit_by").Text(); by {
	case "", "consumer", "credential", "consumer-group":
		if one.Access.Closed == "" {
			return "ip" // as Kong does where nobody is asked who they are
		}
		return "principal"
	case "ip":
		return "ip"
	case "service":
		return "route"
	}
	if id := p.config.Get("identifier").Text(); id == "ip" || id == "service" {
		return map[string]string{"ip": "ip", "service": "route"}[id]
	}
	return ""
}

// windows carries rate-limiting-advanced over.
func (c *converter) windows(p plugin, one *importer.Route, throttles *importer.List) {
	limits, sizes := p.config.Get("limit").Items(), p.config.Get("window_size").Items()
	per := ""
	switch p.config.Get("identifier").Text() {
	case "", "consumer", "credential":
		per = map[bool]string{true: "ip", false: "principal"}[one.Access.Closed == ""]
	case "ip":
		per = "ip"
	case "service":
		per = "route"
	}
	units := map[int]string{1: "s", 60: "m", 3600: "h", 86400: "d"}
	for i := range min(len(limits), len(sizes)) {
		n, unit := limits[i].Integer(0), units[sizes[i].Integer(0)]
		if n <= 0 || unit == "" || per == "" {
			one.Notes = append(one.Notes, c.grave(limits[i], "rate-limiting-advanced: a throttle is so many a second, minute, hour or day, per route, ip or principal: not carried over"))
			continue
		}
		n = min(n, 1_000_000)
		throttles.Add(importer.Flow().Put("rate", importer.Raw(importer.Itoa(n)+importer.Raw("/"+unit))).Put("burst", n).Put("per", per))
	}
}

func (c *converter) size(p plugin, one *importer.Route) {
	n := p.config.Get("allowed_payload_size").Integer(128)
	unit := map[string]string{"": "MiB", "megabytes": "MiB", "kilobytes": "KiB", "bytes": ""}[p.config.Get("size_unit").Text()]
	if n > 0 && !answered(one) {
		one.Keys.Put("limits", importer.Flow().Put("body", importer.Itoa(min(n, 1<<20))+importer.Raw(unit)))
	}
}

func (c *converter) correlation(p plugin, one *importer.Route) {
	name := strings.ToLower(p.config.Get("header_name").Text())
	if name == "" {
		name = "kong-request-id"
	}
	if !importer.IsHeader(name) {
		one.Notes = append(one.Notes, c.note(p.Node, "correlation-id: not carried over"))
		return
	}
	headers := one.Keys.Sub("headers")
	headers.Sub("request").Sub("set").Put(name, importer.Template("${request.id}"))
	if p.config.Get("echo_downstream").IsTrue() {
		headers.Sub("response").Sub("set").Put(name, importer.Template("${request.id}"))
	}
}

// addresses carries ip-restriction over.
func (c *converter) addresses(p plugin, one *importer.Route) {
	read := func(keys ...string) (out []string) {
		for _, key := range keys {
			for _, item := range p.config.Get(key).Items() {
				prefix, ok := importer.Prefix(item.Text())
				if !ok {
					one.Notes = append(one.Notes, c.grave(item, "ip-restriction: "+item.Text()+" is no IP address or prefix"))
				} else if !slices.Contains(out, prefix) {
					out = append(out, prefix)
				}
			}
		}
		return out
	}
	allow, deny := read("allow", "whitelist"), read("deny", "blacklist")
	switch {
	case len(deny) > 0:
		one.Keys.Put("addresses", importer.Flow().Put("allow", allow).Put("deny", deny))
	case len(allow) > 0:
		one.Keys.Put("addresses", allow)
	}
}

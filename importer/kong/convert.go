package kong

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"gatehouse/importer"
	"gatehouse/importer/value"
)

// ConvertFile is Convert for a file.
func ConvertFile(name string) (importer.Result, error) {
	root, err := value.ReadFile(name)
	if err != nil {
		return importer.Result{}, err
	}
	return convert(name, root)
}

// Convert reads a declarative configuration, in YAML or JSON. The error is that
// it is none; what Gatehouse has no counterpart for is in the Result's notes.
func Convert(name string, text []byte) (importer.Result, error) {
	root, err := value.Read(name, text)
	if err != nil {
		return importer.Result{}, err
	}
	return convert(name, root)
}

func convert(name string, root value.Node) (importer.Result, error) {
	if !root.Get("_format_version").There() {
		return importer.Result{}, fmt.Errorf("%s: this is no declarative configuration of Kong, which begins with _format_version", filepath.Base(name))
	}
	c := &converter{
		file: filepath.Base(name), root: root,
		config:   &importer.Config{Listen: importer.NewList(), Top: importer.NewMap()},
		names:    importer.Names{},
		made:     map[string]*importer.Service{},
		upstream: map[string]value.Node{},
	}
	c.version3 = strings.HasPrefix(c.root.Get("_format_version").Text(), "3")
	if err := c.convert(); err != nil {
		return importer.Result{}, err
	}
	return c.config.Result(), nil
}

type converter struct {
	file     string
	root     value.Node
	version3 bool
	config   *importer.Config
	names    importer.Names
	made     map[string]*importer.Service
	upstream map[string]value.Node
	routes   []*route
}

// route is one of Kong's with the service that it leads to.
type route struct {
	value.Node
	service value.Node
	name    string
	hosts   []string
	anyHost bool
	plugins []plugin // those that apply, the route's own first
}

func (c *converter) note(n value.Node, text string) string {
	return c.config.Note(importer.Note{File: c.file, Line: n.Line(), Text: text})
}

func (c *converter) grave(n value.Node, text string) string {
	return c.config.Note(importer.Note{File: c.file, Line: n.Line(), Text: text, Grave: true})
}

func (c *converter) at(n value.Node) string { return fmt.Sprintf("%s:%d", c.file, n.Line()) }

func (c *converter) convert() error {
	c.config.Head = []string{
		"Made by gatehouse import kong of " + c.file + ".",
		"What could not be carried over stands in comments, with the line that said it.",
	}
	for _, u := range c.root.Get("upstreams").Items() {
		c.upstream[u.Get("name").Text()] = u
	}
	c.collect()
	if len(c.routes) == 0 {
		return fmt.Errorf("%s: there is no route in it: it publishes nothing", c.file)
	}
	for _, key := range c.root.Keys() {
		c.unknown(key)
	}
	c.apis()
	c.listeners()
	return nil
}

// unknown notes sections that have no counterpart.
func (c *converter) unknown(key string) {
	n := c.root.Get(key)
	if !n.There() || len(n.Items()) == 0 {
		return
	}
	text := ""
	switch key {
	case "_format_version", "_transform", "_info", "_comment", "services", "routes", "upstreams", "targets", "plugins":
		return
	case "consumers", "keyauth_credentials", "basicauth_credentials", "jwt_secrets", "acls", "hmacauth_credentials", "consumer_groups":
		text = key + ": who calls is not carried over: an authorizer of the API finds it out"
	case "certificates", "snis", "ca_certificates":
		text = key + ": put certificates and keys into files, and write {cert: FILE, key: FILE} under certificates of the listener"
	default:
		text = key + ": not carried over"
	}
	c.config.Head = append(c.config.Head, c.note(n, text))
}

// collect finds the routes with their services and plugins.
func (c *converter) collect() {
	services := map[string]value.Node{}
	global := c.plugins(c.root.Get("plugins"))
	add := func(r, service value.Node, of []plugin) {
		one := &route{Node: r, service: service, name: r.Get("name").Text()}
		for _, h := range r.Get("hosts").Texts() {
			one.hosts = append(one.hosts, strings.ToLower(h))
		}
		one.anyHost = len(one.hosts) == 0
		one.plugins = effective(slices.Concat(c.plugins(r.Get("plugins")), c.attached(global, "route", r), of))
		c.routes = append(c.routes, one)
	}
	for _, s := range c.root.Get("services").Items() {
		services[s.Get("name").Text()] = s
		if id := s.Get("id").Text(); id != "" {
			services[id] = s
		}
		own := slices.Concat(c.plugins(s.Get("plugins")), c.attached(global, "service", s), c.everywhere(global))
		for _, r := range s.Get("routes").Items() {
			add(r, s, own)
		}
	}
	for _, r := range c.root.Get("routes").Items() {
		s := services[r.Get("service").Name()]
		add(r, s, slices.Concat(c.plugins(s.Get("plugins")), c.attached(global, "service", s), c.everywhere(global)))
	}
}

// listeners writes where clients connect to: Kong's own stand in another file.
func (c *converter) listeners() {
	plain := slices.ContainsFunc(c.routes, func(r *route) bool {
		protocols := r.Get("protocols").Texts()
		return len(protocols) == 0 || slices.Contains(protocols, "http")
	})
	c.config.Listen.Note("Kong says in kong.conf where it listens (proxy_listen); these are its usual ports.")
	c.config.Listen.Add(importer.NewMap().Put("address", ":8443").Put("tls", importer.Flow().Put("certificates", "internal")))
	m := importer.Flow().Put("address", ":8000")
	if plain {
		c.config.Listen.Note("Routes for http are among them. With redirect: https here clients are sent to https.")
	} else {
		m.Put("redirect", "https")
	}
	c.config.Listen.Add(m)
}

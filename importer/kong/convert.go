package kong

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatehouse/config/tree"
	"gatehouse/importer"
)

const maxFile = 64 << 20

// ConvertFile is Convert for a file.
func ConvertFile(name string) (importer.Result, error) {
	info, err := os.Stat(name)
	if err != nil {
		return importer.Result{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return importer.Result{}, fmt.Errorf("%s is no file of at most %d bytes", name, maxFile)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return importer.Result{}, err
	}
	return Convert(name, text)
}

// Convert reads a declarative configuration, in YAML or JSON. The error is that
// it is none; what Gatehouse has no counterpart for is in the Result's notes.
func Convert(name string, text []byte) (importer.Result, error) {
	var problems []string
	root := tree.NewFile(filepath.Base(name), text).Parse(func(p tree.Problem) {
		problems = append(problems, fmt.Sprintf("%s: %s", p.Pos, p.Message))
	})
	switch {
	case len(problems) > 0:
		return importer.Result{}, errors.New(strings.Join(problems[:min(len(problems), 10)], "\n"))
	case root == nil || root.Kind != tree.Map || root.Find("_format_version") == nil:
		return importer.Result{}, fmt.Errorf("%s: this is no declarative configuration of Kong, which begins with _format_version", filepath.Base(name))
	}
	c := &converter{
		file: filepath.Base(name), root: node{root},
		config:   &importer.Config{Listen: importer.NewList(), Top: importer.NewMap()},
		names:    importer.Names{},
		made:     map[string]*importer.Service{},
		upstream: map[string]node{},
	}
	c.version3 = strings.HasPrefix(c.root.get("_format_version").text(), "3")
	if err := c.convert(); err != nil {
		return importer.Result{}, err
	}
	return c.config.Result(), nil
}

type converter struct {
	file     string
	root     node
	version3 bool
	config   *importer.Config
	names    importer.Names
	made     map[string]*importer.Service
	upstream map[string]node
	routes   []*route
}

// route is one of Kong's with the service that it leads to.
type route struct {
	node
	service node
	name    string
	hosts   []string
	anyHost bool
	plugins []plugin // those that apply, the route's own first
}

func (c *converter) note(n node, text string) string {
	return c.config.Note(importer.Note{File: c.file, Line: n.line(), Text: text})
}

func (c *converter) grave(n node, text string) string {
	return c.config.Note(importer.Note{File: c.file, Line: n.line(), Text: text, Grave: true})
}

func (c *converter) at(n node) string { return fmt.Sprintf("%s:%d", c.file, n.line()) }

func (c *converter) convert() error {
	c.config.Head = []string{
		"Made by gatehouse import kong of " + c.file + ".",
		"What could not be carried over stands in comments, with the line that said it.",
	}
	for _, u := range c.root.get("upstreams").items() {
		c.upstream[u.get("name").text()] = u
	}
	c.collect()
	if len(c.routes) == 0 {
		return fmt.Errorf("%s: there is no route in it: it publishes nothing", c.file)
	}
	for _, key := range c.root.keys() {
		c.unknown(key)
	}
	c.apis()
	c.listeners()
	return nil
}

// unknown notes sections that have no counterpart.
func (c *converter) unknown(key string) {
	n := c.root.get(key)
	if !n.there() || len(n.items()) == 0 {
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
	services := map[string]node{}
	global := c.plugins(c.root.get("plugins"))
	add := func(r, service node, of []plugin) {
		one := &route{node: r, service: service, name: r.get("name").text()}
		for _, h := range r.get("hosts").texts() {
			one.hosts = append(one.hosts, strings.ToLower(h))
		}
		one.anyHost = len(one.hosts) == 0
		one.plugins = effective(slices.Concat(c.plugins(r.get("plugins")), c.attached(global, "route", r), of))
		c.routes = append(c.routes, one)
	}
	for _, s := range c.root.get("services").items() {
		services[s.get("name").text()] = s
		if id := s.get("id").text(); id != "" {
			services[id] = s
		}
		own := slices.Concat(c.plugins(s.get("plugins")), c.attached(global, "service", s), c.everywhere(global))
		for _, r := range s.get("routes").items() {
			add(r, s, own)
		}
	}
	for _, r := range c.root.get("routes").items() {
		s := services[r.get("service").name()]
		add(r, s, slices.Concat(c.plugins(s.get("plugins")), c.attached(global, "service", s), c.everywhere(global)))
	}
}

// listeners writes where clients connect to: Kong's own stand in another file.
func (c *converter) listeners() {
	plain := slices.ContainsFunc(c.routes, func(r *route) bool {
		protocols := r.get("protocols").texts()
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

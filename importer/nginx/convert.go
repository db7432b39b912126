package nginx

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"gatehouse/importer"
)

// Convert reads a configuration of nginx: a whole nginx.conf, or a file that one
// includes. The error is that it cannot be read; what Gatehouse has no
// counterpart for is in the Result's notes.
func Convert(name string, files Files) (importer.Result, error) {
	all, missing, err := Parse(name, files)
	if err != nil {
		return importer.Result{}, err
	}
	c := &converter{
		file: name, files: files,
		config:    &importer.Config{Listen: importer.NewList(), Top: importer.NewMap()},
		apis:      importer.Names{},
		services:  importer.Names{},
		made:      map[string]*importer.Service{},
		upstreams: map[string]*Directive{},
		zones:     map[string]zone{},
		domains:   map[string]*server{},
	}
	c.config.Head = []string{
		"Made by gatehouse import nginx of " + filepath.Base(name) + ".",
		"What could not be carried over stands in comments, with the line that said it.",
	}
	for _, d := range missing {
		c.config.Head = append(c.config.Head, c.note(d, "the file is not there, so that nothing of it is here: run the import where it is"))
	}
	if err := c.convert(all); err != nil {
		return importer.Result{}, err
	}
	return c.config.Result(), nil
}

type converter struct {
	file      string
	files     Files
	config    *importer.Config
	apis      importer.Names
	services  importer.Names
	made      map[string]*importer.Service // by what they are
	upstreams map[string]*Directive
	zones     map[string]zone
	domains   map[string]*server
	open      *server // the one for hosts that no other names
	several   bool    // servers that do more than redirect
}

// note notes what became of a directive, and returns that as a comment.
func (c *converter) note(d *Directive, text string) string {
	return c.config.Note(importer.Note{File: filepath.Base(d.File), Line: d.Line, Text: d.words() + ": " + text})
}

// grave is note for what keeps strangers out.
func (c *converter) grave(d *Directive, text string) string {
	return c.config.Note(importer.Note{File: filepath.Base(d.File), Line: d.Line, Text: d.words() + ": " + text, Grave: true})
}

// words is the directive as one reads it.
func (d *Directive) words() string {
	text := strings.Join(append([]string{d.Name}, d.Args...), " ")
	if len(text) > 120 {
		text = text[:120] + "..."
	}
	return text
}

// at says where a block stands.
func (d *Directive) at() string { return fmt.Sprintf("%s:%d", filepath.Base(d.File), d.Line) }

var errNothing = errors.New("there is no server and no location in it: it publishes nothing")

func (c *converter) convert(all []*Directive) error {
	http := c.http(all)
	for _, d := range http.own("upstream") {
		if len(d.Args) == 1 {
			c.upstreams[d.Args[0]] = d
		}
	}
	for _, d := range http.own("limit_req_zone") {
		c.addZone(d)
	}
	servers := c.servers(http)
	if len(servers) == 0 {
		return errNothing
	}
	c.listeners(servers)
	serving := 0
	for _, s := range servers {
		if !s.redirects {
			serving++
		}
	}
	c.several = serving > 1
	c.topLevel(http)
	for _, s := range servers {
		c.api(s)
	}
	if len(c.config.APIs) == 0 {
		// Nothing but redirects: an empty configuration is none.
		c.config.APIs = append(c.config.APIs, &importer.API{Name: c.apis.Of("", "api"), Routes: []*importer.Route{{Match: "ANY /{proxy*}", Target: "mock:404"}}})
	}
	return nil
}

// http returns what stands in http, or at the top of a file that is meant to be
// included there.
func (c *converter) http(all []*Directive) *scope {
	top := &scope{all: all}
	s := &scope{}
	for _, d := range all {
		switch d.Name {
		case "http":
			s.all = append(s.all, d.Block...)
		case "stream", "mail":
			c.config.Head = append(c.config.Head, c.note(d, "what is no HTTP is not carried over"))
		case "events", "user", "worker_processes", "worker_rlimit_nofile", "worker_cpu_affinity", "worker_priority", "pid", "load_module", "error_log", "daemon", "master_process", "pcre_jit", "env", "thread_pool", "timer_resolution", "working_directory", "worker_shutdown_timeout":
		default:
			s.all = append(s.all, d)
		}
	}
	if len(top.own("location", "proxy_pass")) > 0 && len(s.own("server")) == 0 {
		// The inside of a server.
		inner := &Directive{Name: "server", Block: s.all, block: true, File: c.file, Line: 1}
		return &scope{all: []*Directive{inner}}
	}
	return s
}

// topLevel carries over what http says for all servers.
func (c *converter) topLevel(http *scope) {
	if d := http.last("access_log"); d != nil && len(d.Args) > 0 && d.Args[0] == "off" {
		c.config.Top.Put("log", importer.Flow().Put("access", "off"))
	}
	if limits, _ := http.nearest("limit_req"); len(limits) > 0 {
		throttles, notes := c.throttles(http, limits)
		c.config.Top.Note(notes...)
		c.config.Top.Put("throttle", throttles)
	}
	for _, d := range http.all {
		if text := c.unknown(d, true); text != "" {
			c.config.Head = append(c.config.Head, text)
		}
	}
}

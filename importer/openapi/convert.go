package openapi

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"gatehouse/importer"
	"gatehouse/importer/value"
)

// ConvertFile makes a configuration whose definition is a document: OpenAPI 3 or
// Swagger 2, in YAML or JSON. Folder is where the configuration will stand, from
// which it names the document.
func ConvertFile(name, folder string) (importer.Result, error) {
	root, err := value.ReadFile(name)
	if err != nil {
		return importer.Result{}, err
	}
	return Convert(name, relative(name, folder), root)
}

// relative is a path as a configuration in a folder names it.
func relative(name, folder string) string {
	abs, err := filepath.Abs(name)
	if err != nil {
		return name
	}
	if base, err := filepath.Abs(folder); err == nil {
		if rel, err := filepath.Rel(base, abs); err == nil && !strings.HasPrefix(rel, "..") {
			return rel
		}
	}
	return abs
}

// Convert is ConvertFile for a document that was read, and is named as said.
func Convert(name, named string, root value.Node) (importer.Result, error) {
	c, err := newConverter(name, root)
	if err != nil {
		return importer.Result{}, err
	}
	c.convert(named)
	return c.config.Result(), nil
}

func newConverter(name string, root value.Node) (*converter, error) {
	c := &converter{
		file: filepath.Base(name), root: root,
		config: &importer.Config{Listen: importer.NewList(), Top: importer.NewMap()},
	}
	if !root.Get("openapi").There() && root.Get("swagger").Text() != "2.0" {
		return nil, fmt.Errorf("%s: this is no document of OpenAPI 3 or Swagger 2, which say openapi or swagger: \"2.0\"", c.file)
	}
	c.operations()
	if len(c.all) == 0 {
		return nil, fmt.Errorf("%s: there is no operation in it: it publishes nothing", c.file)
	}
	c.config.Listen.Add(importer.NewMap().Put("address", "127.0.0.1:8443").Put("tls", importer.Flow().Put("certificates", "internal")))
	return c, nil
}

type converter struct {
	file   string
	root   value.Node
	config *importer.Config
	all    []operation
	used   []string // schemes that some operation asks for
}

// operation is one with who may call it.
type operation struct {
	value.Node
	method   string // ANY for every one
	path     string
	security []value.Node // alternatives
}

// asks reports whether every alternative asks for something.
func (o *operation) asks() bool {
	return len(o.security) > 0 && !slices.ContainsFunc(o.security, func(one value.Node) bool { return len(one.Keys()) == 0 })
}

// open reports whether the credential may be left out.
func (o *operation) open() bool { return len(o.security) > 0 && !o.asks() }

// mixed reports whether who may call is more than one authorizer can decide: two
// credentials at once, or other scopes by one than by another.
func (o *operation) mixed() bool {
	scopes := ""
	for i, one := range o.security {
		names := one.Keys()
		if len(names) > 1 {
			return true
		}
		for _, name := range names {
			own := strings.Join(one.Get(name).Texts(), " ")
			if i > 0 && own != scopes {
				return true
			}
			scopes = own
		}
	}
	return false
}

func (c *converter) note(n value.Node, text string) string {
	return c.config.Note(importer.Note{File: c.file, Line: n.Line(), Text: text})
}

var verbs = []string{"get", "put", "post", "delete", "options", "head", "patch", "query", "x-amazon-apigateway-any-method"}

// operations finds them, and which schemes they ask for.
func (c *converter) operations() {
	paths := c.root.Get("paths")
	for _, path := range paths.Keys() {
		item := c.resolve(paths.Get(path))
		for _, verb := range verbs {
			op := item.Get(verb)
			if !op.There() {
				continue
			}
			security := op.Get("security")
			if !security.There() {
				security = c.root.Get("security")
			}
			method := strings.ToUpper(verb)
			if strings.HasPrefix(verb, "x-") {
				method = "ANY"
			}
			o := operation{op, method, path, security.Items()}
			c.all = append(c.all, o)
			c.use(o)
		}
	}
}

// resolve follows a reference within the document.
func (c *converter) resolve(n value.Node) value.Node {
	for range 16 {
		pointer, ok := strings.CutPrefix(n.Get("$ref").Text(), "#/")
		if !ok {
			return n
		}
		n = c.root
		for key := range strings.SplitSeq(pointer, "/") {
			n = n.Get(strings.NewReplacer("~1", "/", "~0", "~").Replace(key))
		}
	}
	return value.Node{}
}

// use notes which schemes an operation asks for.
func (c *converter) use(o operation) {
	for _, one := range o.security {
		for _, name := range one.Keys() {
			if !slices.Contains(c.used, name) {
				c.used = append(c.used, name)
			}
		}
	}
}

// server is where the document says that the service is.
type server struct {
	target string
	host   string
	tls    bool
	path   string
	note   string
}

func (c *converter) server() server {
	text, at := "", c.root.Get("servers")
	if servers := at.Items(); len(servers) > 0 {
		at = servers[0].Get("url")
		text = at.Text()
		for _, name := range servers[0].Get("variables").Keys() {
			text = strings.ReplaceAll(text, "{"+name+"}", servers[0].Path("variables", name, "default").Text())
		}
	}
	if host := c.root.Get("host"); host.There() {
		scheme := "https"
		if schemes := c.root.Get("schemes").Texts(); len(schemes) > 0 && !slices.Contains(schemes, "https") {
			scheme = "http"
		}
		text, at = scheme+"://"+host.Text()+c.root.Get("basePath").Text(), host
	} else if base := c.root.Get("basePath"); base.There() {
		text, at = base.Text(), base
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || !validHost(u.Hostname()) {
		s := server{target: "127.0.0.1:3000"}
		if err == nil && u.Host == "" {
			s.path = u.Path
		}
		s.note = c.note(at, "the document does not say where the service is: put its address here")
		return s
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return server{target: net.JoinHostPort(strings.ToLower(u.Hostname()), port), host: strings.ToLower(u.Hostname()), tls: u.Scheme == "https", path: u.Path}
}

func validHost(s string) bool {
	return net.ParseIP(s) != nil || importer.IsDomain(strings.ToLower(s)) && !strings.HasPrefix(s, "*")
}

func (c *converter) convert(named string) {
	c.config.Head = []string{
		"Made by gatehouse import openapi of " + c.file + ", which says the API's routes: it is read",
		"anew whenever it changes.",
	}
	s := c.server()
	a := c.api()
	a.Keys.Note("validate: true has requests held against the document, too.")
	definition := importer.NewMap().Put("file", named).Put("target", "service:"+service)
	if path := strings.TrimSuffix(s.path, "/"); path != "" {
		definition.Note("The service has its paths below " + path + ", and so has the gateway.")
		definition.Put("base-path", "prepend")
	}
	c.security(a, definition)
	a.Keys.Put("definition", definition)
	c.access(a, strings.TrimSuffix(s.path, "/"))
	c.serve(a, s)
}

// service is the name of the one that the document describes.
const service = "service"

func (c *converter) api() *importer.API {
	names := importer.Names{service: true}
	a := &importer.API{Name: names.Of(c.root.Path("info", "title").Text(), "api"), Keys: importer.NewMap(), Authorizers: importer.NewMap()}
	a.Keys.Note("domains: [api.example.com]: without any, every host is answered.")
	return a
}

// serve adds the API and its service.
func (c *converter) serve(a *importer.API, s server) {
	one := &importer.Service{Name: service, Targets: importer.NewList(), Keys: importer.NewMap()}
	one.Targets.Note(s.note).Add(s.target)
	if s.tls {
		one.Keys.Put("tls", importer.Raw("{}"))
	}
	c.config.APIs = append(c.config.APIs, a)
	c.config.Services = append(c.config.Services, one)
}

// security says which authorizer each scheme is. None can be made of a document:
// it does not say whose tokens for whom are good.
func (c *converter) security(a *importer.API, definition *importer.Map) {
	m := importer.NewMap()
	for _, name := range c.used {
		scheme := c.scheme(name)
		if scheme.Get("x-amazon-apigateway-authorizer").There() {
			continue // the definition says it
		}
		m.Note(c.note(scheme, "the scheme "+name+": "+cure(scheme)))
		m.Put(name, importer.Undecided)
	}
	if m.Empty() {
		return
	}
	definition.Note("CLOSED until you decide who may call: put the name of an authorizer in place of undecided, or none where the service itself asks for the credential.")
	definition.Put("security", m)
	a.Authorizers.Note("Lets nobody in but who makes tokens by the development key, which lies in the data folder.")
	a.Authorizers.Put(importer.Undecided, importer.Flow().Put("jwt", importer.Flow().Put("issuer", "undecided").Put("audience", "undecided").Put("jwks", "development")))
}

func (c *converter) scheme(name string) value.Node {
	schemes := c.root.Path("components", "securitySchemes")
	if !schemes.There() {
		schemes = c.root.Get("securityDefinitions")
	}
	return c.resolve(schemes.Get(name))
}

// cure says what to write for a scheme.
func cure(scheme value.Node) string {
	switch kind := strings.ToLower(scheme.Get("type").Text()); {
	case kind == "openidconnect":
		issuer, _, _ := strings.Cut(scheme.Get("openIdConnectUrl").Text(), "/.well-known/")
		return "write {jwt: {issuer: \"" + issuer + "\", audience: ..., jwks: ...}}"
	case kind == "oauth2", kind == "http" && strings.EqualFold(scheme.Get("scheme").Text(), "bearer"):
		return "write {jwt: {issuer: ..., audience: ..., jwks: ...}}"
	case kind == "":
		return "the document does not say what it is"
	}
	return "write an authorizer that knows it, such as {basic: ...}, {mtls: ...}, {iam: {}} or {http: ...}, or say none where the service itself looks at the credential"
}

// access says who may call operations without security, and those whose
// security is more than a definition can say.
func (c *converter) access(a *importer.API, base string) {
	open := 0
	for _, op := range c.all {
		match := op.method + " " + base + op.path
		switch {
		case op.open():
			a.Routes = append(a.Routes, &importer.Route{Match: match, Notes: []string{c.note(op.Node, "the credential may be left out: OPEN to everybody, and the service tells them apart")}})
		case op.asks() && op.mixed():
			a.Routes = append(a.Routes, &importer.Route{Match: match, Access: importer.Access{Closed: c.note(op.Node, "it asks for several credentials, or scopes that differ by them")}})
		case op.asks():
			c.config.Closed = append(c.config.Closed, a.Name+" "+match)
		default:
			open++
			c.config.Published = append(c.config.Published, a.Name+" "+match)
		}
	}
	if open == 0 {
		a.Access = &importer.Access{Closed: "every operation of the document has security; this is for those to come"}
		return
	}
	a.Keys.Note(fmt.Sprintf("OPEN to everybody: %d of %d operations, of which the document says no security.", open, len(c.all)))
	a.Access = &importer.Access{}
}

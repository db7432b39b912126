package openapi

import (
	"fmt"
	"strings"

	"gatehouse/config"
	"gatehouse/config/tree"
)

// dialect is which specification a definition follows.
type dialect uint8

const (
	swagger2 dialect = iota + 1
	openapi30
	openapi31
)

// reader reads one definition.
type reader struct {
	*config.Document
	options *Options
	docs    map[*tree.File]*config.Document
	others  map[string]*config.Document // by the name of the file
	failed  map[string]bool             // references that were reported
	dialect dialect
	root    *config.Value
	base    string // stands before every path

	keys        *section
	operations  []operation
	authorizers []Authorizer
	policy      *config.Value
	keySource   KeySource
	warnings    []Warning
	schemes     map[string]Scheme
	security    *Callers // of operations that say nothing
	validators  map[string]checks
	binary      []string // media types that functions get as bytes
}

// operation is one method of one path, before its keys are decoded.
type operation struct {
	at             config.Pos
	method, path   string
	keys, pathKeys *section
	callers        *Callers
	integration    *integration
	request        *Request
}

func newReader(d *config.Document, o *Options) *reader {
	return &reader{
		Document: d, options: o, root: d.Root,
		docs:    map[*tree.File]*config.Document{d.Root.File: d},
		others:  make(map[string]*config.Document),
		failed:  make(map[string]bool),
		schemes: make(map[string]Scheme),
	}
}

// read reports whether there is a definition at all.
func (r *reader) read() bool {
	if r.root.Kind != config.Map {
		r.Errorf(r.root.Pos, "this is no API definition: a map with openapi or swagger, info and paths")
		return false
	}
	if !r.version() {
		return false
	}
	r.rootKeys()
	r.servers()
	r.readSchemes()
	r.security = r.callers(find(r.root, "security"))
	paths := find(r.root, "paths")
	switch {
	case paths == nil && find(r.root, "webhooks") == nil && find(r.root, "components") == nil:
		r.Errorf(r.root.Pos, "the definition has no paths")
	case paths != nil && r.is(paths, config.Map, "paths"):
		for _, e := range paths.Entries {
			r.path(e)
		}
	}
	return true
}

// version finds out what specification the definition follows.
func (r *reader) version() bool {
	if v := find(r.root, "openapi"); v != nil {
		switch {
		case strings.HasPrefix(v.Text, "3.0.") || v.Text == "3.0":
			r.dialect = openapi30
		case strings.HasPrefix(v.Text, "3.1.") || v.Text == "3.1":
			r.dialect = openapi31
		default:
			r.Errorf(v.Pos, "OpenAPI %q is not known here: 3.0 and 3.1 are, and Swagger 2.0", tree.Shorten(v.Text))
		}
		return r.dialect != 0
	}
	v := find(r.root, "swagger")
	switch {
	case v == nil:
		r.Hint(r.root.Pos, `it begins with openapi: "3.1.0", openapi: "3.0.3" or swagger: "2.0"`, "this is no API definition: neither openapi nor swagger says its version")
	case v.Text != "2.0":
		r.Errorf(v.Pos, "Swagger %q is not known here: 2.0 is, and OpenAPI 3.0 and 3.1", tree.Shorten(v.Text))
	default:
		r.dialect = swagger2
	}
	return r.dialect != 0
}

// methods are the keys of a path that are operations.
const anyMethod = "x-amazon-apigateway-any-method"

func methodOf(key string) string {
	switch key {
	case "get", "put", "post", "delete", "options", "head", "patch":
		return strings.ToUpper(key)
	case anyMethod:
		return "ANY"
	}
	return ""
}

// path reads one path with its operations.
func (r *reader) path(e config.Entry) {
	if strings.HasPrefix(e.Key, "x-") {
		r.extension(e, "paths")
		return
	}
	item, ok := r.resolve(e.Value)
	if !ok || !r.is(item, config.Map, e.Key) {
		return
	}
	path, ok := r.routePath(e)
	if !ok {
		return
	}
	own := newSection(e.Key, item)
	parameters := r.parameters(find(item, "parameters"))
	r.extensions(item, inPath)
	for _, m := range item.Entries {
		switch method := methodOf(m.Key); {
		case method != "":
			r.operation(m, method, path, own, parameters)
		case m.Key == "trace":
			r.Errorf(m.Pos, "the method TRACE is served by no route: remove it")
		}
	}
}

// routePath returns a path as a route's match writes it.
func (r *reader) routePath(e config.Entry) (string, bool) {
	path := e.Key
	switch {
	case path == "/$default" || path == "$default":
		return "/{proxy*}", true
	case path == "" || path[0] != '/':
		r.Errorf(e.Pos, "a path begins with /: %q does not", tree.Shorten(path))
		return "", false
	}
	if base := strings.TrimSuffix(r.base, "/"); base != "" {
		path = base + path
	}
	return path, true
}

func (r *reader) operation(e config.Entry, method, path string, pathKeys *section, shared []Parameter) {
	head := &operationHead{method, path}
	v, ok := r.resolve(e.Value)
	if !ok || !r.is(v, config.Map, head.name()) {
		return
	}
	o := operation{at: e.Pos, method: method, path: path, keys: newSection(head.name(), v)}
	if len(pathKeys.value.Entries) > 0 {
		o.pathKeys = pathKeys
	}
	r.extensions(v, inOperation)
	o.callers = r.operationCallers(v)
	r.requestValidator(v, o.keys)
	o.integration = r.integration(v, head)
	if method == "OPTIONS" && o.integration != nil && o.integration.mock != nil && find(v, "security") == nil && !o.keys.has("authorize") {
		o.callers = &Callers{At: e.Pos, Everybody: true} // a preflight carries no credential, and the answer is the definition's own
	}
	o.request = r.request(v, shared)
	r.operations = append(r.operations, o)
}

// servers finds what stands before every path.
func (r *reader) servers() {
	if r.options.BasePath != "prepend" {
		return
	}
	if r.dialect == swagger2 {
		if v := find(r.root, "basePath"); v != nil {
			r.base = strings.TrimSuffix(v.Text, "/")
		}
		return
	}
	list := find(r.root, "servers")
	if list == nil || len(list.Items) == 0 {
		return
	}
	url := find(list.Items[0], "url")
	if url == nil {
		return
	}
	text := r.serverURL(url.Text, find(list.Items[0], "variables"))
	if _, after, absolute := strings.Cut(text, "://"); absolute {
		_, path, _ := strings.Cut(after, "/")
		text = "/" + path
	}
	r.base = strings.TrimSuffix(text, "/")
	if strings.ContainsAny(r.base, "{}") {
		r.Errorf(url.Pos, "the path of the server holds a variable without a default")
	}
}

// serverURL puts the defaults of a server's variables in their places.
func (r *reader) serverURL(url string, variables *config.Value) string {
	if variables == nil {
		return url
	}
	for _, v := range variables.Entries {
		value := find(v.Value, "default")
		if value == nil {
			continue
		}
		// AWS writes {basePath} behind a slash, and a value that begins with one.
		url = strings.ReplaceAll(url, "/{"+v.Key+"}", "/"+strings.TrimPrefix(value.Text, "/"))
		url = strings.ReplaceAll(url, "{"+v.Key+"}", value.Text)
	}
	return url
}

// find returns what v says under key; nil for nothing.
func find(v *config.Value, key string) *config.Value {
	if v == nil || v.Kind != config.Map {
		return nil
	}
	if e := v.Find(key); e != nil && e.Value.Kind != config.Null {
		return e.Value
	}
	return nil
}

// is reports whether v has a kind, and a problem where it has not.
func (r *reader) is(v *config.Value, kind config.Kind, what string) bool {
	if v.Kind == kind {
		return true
	}
	r.Errorf(v.Pos, "%s: wanted %v, got %v", tree.Shorten(what), kind, v.Kind)
	return false
}

// flag returns a bool of the definition.
func (r *reader) flag(v *config.Value, key string) bool {
	f := find(v, key)
	if f == nil {
		return false
	}
	if f.Text != "true" && f.Text != "false" {
		r.Errorf(f.Pos, "%s is true or false", key)
	}
	return f.Text == "true"
}

// word returns a text of the definition; "" where it is not there.
func (r *reader) word(v *config.Value, key string) string {
	f := find(v, key)
	if f == nil {
		return ""
	}
	if f.Kind != config.Scalar {
		r.Errorf(f.Pos, "%s: wanted a single value, got %v", key, f.Kind)
		return ""
	}
	return strings.Clone(f.Text)
}

// words returns a list of texts; one text may stand for a list.
func (r *reader) words(v *config.Value, key string) []string {
	f := find(v, key)
	if f == nil {
		return nil
	}
	if f.Kind == config.Scalar {
		return []string{strings.Clone(f.Text)}
	}
	var out []string
	for _, item := range f.Items {
		if item.Kind == config.Scalar {
			out = append(out, strings.Clone(item.Text))
		}
	}
	return out
}

func (r *reader) warn(at config.Pos, format string, args ...any) {
	r.warnings = append(r.warnings, Warning{at, fmt.Sprintf(format, args...)})
}

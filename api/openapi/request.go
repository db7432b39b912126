package openapi

import (
	"strings"

	"gatehouse/config"
	"gatehouse/config/tree"
)

// Request is what requests of an operation must be like. What it says is there
// until Release; the schemas in it are trees of the definition.
type Request struct {
	Parameters []Parameter
	Body       *Body // nil where the operation has none
	Legacy     bool  // schemas are those of Swagger 2 and OpenAPI 3.0, not JSON Schema 2020-12

	resolve func(from *tree.File, ref string) (*config.Value, error)
}

// Parameter is one parameter of an operation.
type Parameter struct {
	At         config.Pos
	Name       string
	In         string // path, query, header or cookie
	Required   bool
	AllowEmpty bool
	Style      string // simple, form, deepObject, ...; never ""
	Explode    bool
	Schema     *config.Value // nil: anything
	MediaType  string        // of a value that is text of this type, in place of a style
}

// Body is the body of requests.
type Body struct {
	At       config.Pos
	Required bool
	Types    []Content
}

// Content is a media type that a body may have.
type Content struct {
	Type   string        // application/json, text/*, */*
	Schema *config.Value // nil: anything
	Form   bool          // the members of the schema are fields of a form
}

// Resolve returns the schema that a reference stands for in a file of the
// definition. It may be called until Release.
func (q *Request) Resolve(from *tree.File, ref string) (*config.Value, error) {
	return q.resolve(from, ref)
}

// Held reports whether the trees are still there.
func (q *Request) Held() bool { return q.resolve != nil }

func (q *Request) release() { *q = Request{} }

// request reads the parameters and the body of an operation.
func (r *reader) request(v *config.Value, shared []Parameter) *Request {
	q := &Request{Legacy: r.dialect != openapi31, resolve: r.follow}
	own := r.parameters(find(v, "parameters"))
	for _, p := range shared {
		if !overridden(p, own) {
			q.Parameters = append(q.Parameters, p)
		}
	}
	q.Parameters = append(q.Parameters, own...)
	if r.dialect == swagger2 {
		q.takeBody(r, v)
		return q
	}
	if body := find(v, "requestBody"); body != nil {
		q.Body = r.body(body)
	}
	return q
}

// overridden reports whether an operation says a parameter of its path anew. Of
// forms and bodies in Swagger 2 there is one.
func overridden(p Parameter, own []Parameter) bool {
	for _, o := range own {
		if o.In == p.In && (o.Name == p.Name || p.In == "body") {
			return true
		}
	}
	return false
}

func (r *reader) parameters(v *config.Value) []Parameter {
	if v == nil || !r.is(v, config.List, "parameters") {
		return nil
	}
	var out []Parameter
	for _, item := range v.Items {
		resolved, ok := r.resolve(item)
		if !ok || !r.is(resolved, config.Map, "parameters") {
			continue
		}
		p := r.parameter(resolved)
		p.At = item.Pos
		if p.Name != "" {
			out = append(out, p)
		}
	}
	return out
}

func (r *reader) parameter(v *config.Value) Parameter {
	p := Parameter{Name: r.word(v, "name"), In: r.word(v, "in"), Required: r.flag(v, "required"), AllowEmpty: r.flag(v, "allowEmptyValue")}
	switch p.In {
	case "path", "query", "header", "cookie":
	case "body", "formData":
		if r.dialect == swagger2 {
			break
		}
		fallthrough
	default:
		r.Errorf(v.Pos, "a parameter stands in: path, query, header or cookie, not %q", tree.Shorten(p.In))
		return Parameter{}
	}
	if p.Name == "" {
		r.Errorf(v.Pos, "the name of the parameter is missing")
		return p
	}
	if r.dialect == swagger2 {
		r.legacyParameter(&p, v)
	} else {
		r.styledParameter(&p, v)
	}
	return p
}

// styledParameter reads how a parameter of OpenAPI 3 is written.
func (r *reader) styledParameter(p *Parameter, v *config.Value) {
	p.Schema = find(v, "schema")
	p.Style = r.word(v, "style")
	if p.Style == "" {
		p.Style = map[string]string{"path": "simple", "header": "simple", "query": "form", "cookie": "form"}[p.In]
	}
	p.Explode = p.Style == "form"
	if find(v, "explode") != nil {
		p.Explode = r.flag(v, "explode")
	}
	if content := find(v, "content"); content != nil && content.Kind == config.Map && len(content.Entries) == 1 {
		p.MediaType = content.Entries[0].Key
		p.Schema = find(content.Entries[0].Value, "schema")
	}
}

// legacyParameter reads a parameter of Swagger 2, which is its own schema.
func (r *reader) legacyParameter(p *Parameter, v *config.Value) {
	if p.In == "body" {
		p.Schema = find(v, "schema")
		return
	}
	schema := &config.Value{Kind: config.Map, Pos: v.Pos, File: v.File}
	for _, e := range v.Entries {
		switch e.Key {
		case "name", "in", "required", "description", "collectionFormat", "allowEmptyValue":
		default:
			if !strings.HasPrefix(e.Key, "x-") {
				schema.Entries = append(schema.Entries, e)
			}
		}
	}
	p.Schema = schema
	p.Style = map[string]string{"path": "simple", "header": "simple", "query": "form", "formData": "form"}[p.In]
	switch format := r.word(v, "collectionFormat"); format {
	case "", "csv":
	case "multi":
		p.Explode = true
	case "ssv":
		p.Style = "spaceDelimited"
	case "tsv":
		p.Style = "tabDelimited"
	case "pipes":
		p.Style = "pipeDelimited"
	default:
		r.Unknown(find(v, "collectionFormat").Pos, "collectionFormat", format, []string{"csv", "ssv", "tsv", "pipes", "multi"})
	}
}

// takeBody makes a body of the parameters of Swagger 2 that stand in one.
func (q *Request) takeBody(r *reader, v *config.Value) {
	types := r.words(v, "consumes")
	if find(v, "consumes") == nil {
		types = r.words(r.root, "consumes")
	}
	var rest, form []Parameter
	for _, p := range q.Parameters {
		switch p.In {
		case "body":
			q.Body = &Body{At: p.At, Required: p.Required}
			if len(types) == 0 {
				types = []string{"application/json"}
			}
			for _, t := range types {
				q.Body.Types = append(q.Body.Types, Content{Type: t, Schema: p.Schema})
			}
		case "formData":
			form = append(form, p)
		default:
			rest = append(rest, p)
		}
	}
	q.Parameters = rest
	if len(form) > 0 {
		q.takeForm(form, types)
	}
}

// takeForm makes a schema of the fields of a form.
func (q *Request) takeForm(form []Parameter, types []string) {
	at := form[0].Schema
	properties := &config.Value{Kind: config.Map, Pos: at.Pos, File: at.File}
	required := &config.Value{Kind: config.List, Pos: at.Pos, File: at.File}
	q.Body = &Body{At: form[0].At}
	for _, p := range form {
		properties.Entries = append(properties.Entries, entry(p.Name, p.At, p.Schema))
		if p.Required {
			required.Items = append(required.Items, text(p.Schema, p.Name))
			q.Body.Required = true
		}
	}
	schema := &config.Value{Kind: config.Map, Pos: at.Pos, File: at.File}
	schema.Entries = []config.Entry{entry("properties", at.Pos, properties), entry("required", at.Pos, required)}
	if len(types) == 0 {
		types = []string{"application/x-www-form-urlencoded", "multipart/form-data"}
	}
	for _, t := range types {
		q.Body.Types = append(q.Body.Types, Content{Type: t, Schema: schema, Form: true})
	}
}

// body reads the body of OpenAPI 3.
func (r *reader) body(v *config.Value) *Body {
	resolved, ok := r.resolve(v)
	if !ok || !r.is(resolved, config.Map, "requestBody") {
		return nil
	}
	b := &Body{At: v.Pos, Required: r.flag(resolved, "required")}
	content := find(resolved, "content")
	if content == nil || !r.is(content, config.Map, "content") {
		return b
	}
	for _, e := range content.Entries {
		kind, _, _ := strings.Cut(strings.ToLower(e.Key), ";")
		kind = strings.TrimSpace(kind)
		c := Content{Type: kind, Schema: find(e.Value, "schema"), Form: kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data"}
		b.Types = append(b.Types, c)
	}
	return b
}

package validate

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"gatehouse/config"
	"gatehouse/config/tree"
	"gatehouse/validate/schema"
)

// Spec is what requests of an operation must be like, as a definition says it.
type Spec struct {
	Parameters []Parameter
	Body       *Body // nil where the operation has none
}

// Parameter is one parameter.
type Parameter struct {
	At         config.Pos
	Name       string
	In         string // path, query, header or cookie
	Required   bool
	AllowEmpty bool
	Style      string
	Explode    bool
	Schema     *tree.Value // nil: anything
	MediaType  string      // in place of a style
}

// Body is what bodies must be like.
type Body struct {
	Required bool
	Types    []Content
}

// Content is a media type that bodies may have.
type Content struct {
	Type   string
	Schema *tree.Value // nil: anything
	Form   bool
}

// Compiler compiles the operations of one definition.
type Compiler struct{ Schemas schema.Compiler }

// Operation is what requests must be like, compiled. It is immutable and safe
// for concurrent use.
type Operation struct {
	path    []*parameter
	query   []*parameter
	header  []*parameter
	cookie  []*parameter
	named   map[string]bool // query parameters, for strict
	prefix  []string        // of query parameters that have members: filter[
	body    bool
	require bool
	types   []*content
	digest  [sha256.Size]byte
}

// Digest returns a hash of all that the operation was compiled from; zero for a
// nil one. It tells changes apart for `plan`.
func (o *Operation) Digest() [sha256.Size]byte {
	if o == nil {
		return [sha256.Size]byte{}
	}
	return o.digest
}

// parameter is a Parameter compiled.
type parameter struct {
	Parameter
	schema *schema.Schema
	shape  schema.Shape
	split  string // between items that share one value
	lead   string // before the first of them
	json   bool
}

type content struct {
	kind   string // "application/json", "application/*", "*/*"
	schema *schema.Schema
	json   bool
	form   bool
}

// Operation compiles what one operation says. Problems go to the report.
func (c *Compiler) Operation(s *Spec) *Operation {
	o := &Operation{named: make(map[string]bool)}
	for i := range s.Parameters {
		c.parameter(o, s.Parameters[i])
	}
	o.digest = c.digest(s)
	if s.Body == nil {
		return o
	}
	o.body, o.require = true, s.Body.Required
	for _, t := range s.Body.Types {
		o.types = append(o.types, c.content(t))
	}
	slices.SortStableFunc(o.types, func(a, b *content) int { return rank(a.kind) - rank(b.kind) })
	return o
}

// digest hashes what an operation says.
func (c *Compiler) digest(s *Spec) [sha256.Size]byte {
	h := sha256.New()
	for _, p := range s.Parameters {
		fmt.Fprintf(h, "%q %q %v %v %q %v %q %x\n", p.Name, p.In, p.Required, p.AllowEmpty, p.Style, p.Explode, p.MediaType, c.Schemas.Digest(p.Schema))
	}
	if s.Body != nil {
		fmt.Fprintf(h, "body %v\n", s.Body.Required)
		for _, t := range s.Body.Types {
			fmt.Fprintf(h, "%q %v %x\n", t.Type, t.Form, c.Schemas.Digest(t.Schema))
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// rank puts the more specific media types first.
func rank(kind string) int { return strings.Count(kind, "*") }

func (c *Compiler) content(t Content) *content {
	out := &content{kind: strings.ToLower(t.Type), json: isJSON(t.Type), form: t.Form && isURLEncoded(t.Type)}
	if t.Schema != nil && (out.json || out.form) {
		out.schema = c.Schemas.Compile(t.Schema)
	}
	return out
}

func isURLEncoded(kind string) bool {
	return strings.EqualFold(kind, "application/x-www-form-urlencoded")
}

// isJSON reports whether bodies of a media type are JSON.
func isJSON(kind string) bool {
	kind = strings.ToLower(kind)
	return kind == "application/json" || kind == "text/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}

func (c *Compiler) parameter(o *Operation, p Parameter) {
	out := &parameter{Parameter: p, json: isJSON(p.MediaType)}
	if p.Schema != nil {
		out.schema = c.Schemas.Compile(p.Schema)
		out.shape = out.schema.Shape()
		out.Parameter.Schema = nil // it would hold the whole definition
	}
	if p.MediaType != "" && !out.json {
		out.schema = nil // text of a type that is not looked into
	}
	if !c.style(out) {
		return
	}
	switch p.In {
	case "path":
		o.path = append(o.path, out)
	case "query":
		o.addQuery(out)
	case "header":
		switch strings.ToLower(p.Name) {
		case "accept", "content-type", "authorization": // OpenAPI: what is said of them here counts for nothing
		default:
			o.header = append(o.header, out)
		}
	case "cookie":
		o.cookie = append(o.cookie, out)
	}
}

func (o *Operation) addQuery(p *parameter) {
	o.query = append(o.query, p)
	o.named[p.Name] = true
	switch {
	case p.Style == "deepObject":
		o.prefix = append(o.prefix, p.Name+"[")
	case p.spread():
		for _, name := range p.shape.Members {
			o.named[name] = true
		}
	}
}

// spread reports whether each member of an object is a parameter of its own.
func (p *parameter) spread() bool {
	return p.In == "query" && p.Style == "form" && p.Explode && p.shape.Kind == schema.ShapeObject && !p.json
}

// style finds out how items stand within one value.
func (c *Compiler) style(p *parameter) bool {
	switch p.Style {
	case "simple", "form":
		p.split = ","
	case "spaceDelimited":
		p.split = " "
	case "pipeDelimited":
		p.split = "|"
	case "tabDelimited":
		p.split = "\t"
	case "label":
		p.split, p.lead = ".", "."
		if !p.Explode {
			p.split = ","
		}
	case "deepObject":
		if p.In != "query" {
			c.Schemas.Report.Errorf(p.At, "the parameter %s: deepObject is for query parameters", p.Name)
			return false
		}
	default:
		c.Schemas.Report.Errorf(p.At, "the parameter %s: the style %s is not checked here: switch validate off there, or write simple, form, label, spaceDelimited, pipeDelimited or deepObject", p.Name, p.Style)
		return false
	}
	return true
}

package openapi

import (
	"errors"

	"gatehouse/config"
)

// Definition is the definition of an API or of one stage: a file, and how its
// names are to be understood here. Keys and Operations are empty where the file
// could not be read, which has been reported: see Broken.
type Definition[K any] struct {
	config.At
	Options

	Keys        *K // what holds for all operations; nil for nothing
	Operations  []Operation[K]
	Authorizers []Authorizer
	Policy      *config.Value // the API's resource policy, an IAM policy document; nil for none
	KeySource   KeySource     // where API keys come from; "" where it does not say
	Warnings    []Warning
	Schemes     map[string]Scheme // how callers are known, by name
	Binary      []string          // media types that functions get as bytes
	Read        bool              // the file could be read, at least in part
}

// Options are the keys of the long form.
type Options struct {
	Target       config.Name         `yaml:"target" doc:"what answers operations without an integration: service:NAME or http://HOST:PORT"`
	Security     map[Key]config.Name `yaml:"security" doc:"by the name of a security scheme the authorizer that stands for it; none leaves the credential to the service"`
	Integrations map[Key]config.Name `yaml:"integrations" doc:"by a host, a connection id or an ARN in the definition's integrations what stands for it: service:NAME or http://HOST:PORT"`
	BasePath     string              `yaml:"base-path" default:"ignore" enum:"ignore|prepend" doc:"whether basePath, or the path of the first of servers, stands before every path"`
}

// long is the long form.
type long struct {
	config.At
	File    document `yaml:"file,required" doc:"the definition: OpenAPI 3.0 or 3.1 or Swagger 2, JSON or YAML"`
	Options `yaml:",inline"`
}

// Key is a name of a definition's: of a security scheme, a host, a connection.
type Key string

// UnmarshalText takes every name but the empty one.
func (k *Key) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errEmptyKey
	}
	*k = Key(text)
	return nil
}

var errEmptyKey = errors.New("is no name")

// document is the file while it is read.
type document struct{ opened *config.Document }

// UnmarshalConfig reads the file.
func (d *document) UnmarshalConfig(n *config.Node) {
	if opened, ok := n.Document(); ok {
		d.opened = opened
	}
}

// ConfigSchema implements config.Schemer.
func (document) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Examples: []any{"shop.openapi.yaml"}}
}

// Warning is what works but should be looked at.
type Warning struct {
	At      config.Pos
	Message string
}

// Operation is one method of one path.
type Operation[K any] struct {
	At          config.Pos
	Method      string          // "GET"; "ANY" for x-amazon-apigateway-any-method
	Path        string          // as a route's match writes it: /orders/{id}, /files/{proxy+}
	Keys        *K              // what the operation says in our keys; nil for nothing
	PathKeys    *K              // what its path says; nil for nothing
	Callers     *Callers        // who may call, as its security says; nil where it says nothing
	Inherited   bool            // Callers is what the root says
	Integration *Integration[K] // nil where it says none
	Request     *Request        // what requests must be like
}

// Match returns the operation as a route's match.
func (o *Operation[K]) Match() string { return o.Method + " " + o.Path }

// Integration is what answers an operation.
type Integration[K any] struct {
	At          config.Pos
	Unread      string      // what it says and cannot be done here, and the cure; "" for nothing
	Cannot      string      // why its address cannot be used, unless options name what stands for it; "" where it can
	Address     string      // http://HOST:PORT of a proxy; may hold ${stageVariables.NAME}
	Names       []string    // by which Options.Integrations may know it, the first that is there counts; may hold stage variables
	Private     bool        // it is behind a VPC link: the address leads nowhere by itself
	Function    string      // in place of Address: the name of a function; may hold stage variables
	Payload     string      // the format of what it is told: 1.0 or 2.0
	Credentials config.Name // the ARN of whom requests are signed for; may hold stage variables
	Method      string      // what the service is asked by; "" for the client's own
	Mock        *Mock       // in place of Address
	Mapping     *Mapping    // how requests and answers are made anew; nil where they pass as they are
	Keys        *K          // rewrite, headers and timeout as the integration says them; nil for nothing
}

// Mock is an answer of the gateway's own.
type Mock struct {
	Status int
	Header map[string]string
	Body   string
}

// UnmarshalConfig reads FILE or the long form, and the definition.
func (d *Definition[K]) UnmarshalConfig(n *config.Node) {
	var l long
	if n.Kind() == config.Scalar {
		n.Decode(&l.File)
		l.BasePath = "ignore"
	} else {
		n.Decode(&l)
	}
	d.Options = l.Options
	if l.File.opened == nil {
		return
	}
	r := newReader(l.File.opened, &l.Options)
	if !r.read() {
		return
	}
	d.fill(r)
}

// ConfigSchema implements config.Schemer.
func (Definition[K]) ConfigSchema() *config.Schema {
	return &config.Schema{AnyOf: []*config.Schema{
		{Type: "string", Examples: []any{"shop.openapi.yaml"}}, config.SchemaOf(long{}),
	}}
}

// fill decodes what was read into the keys of the configuration.
func (d *Definition[K]) fill(r *reader) {
	d.Read = true
	d.Authorizers, d.Policy, d.Warnings, d.Schemes, d.KeySource = r.authorizers, r.policy, r.warnings, r.schemes, r.keySource
	d.Binary = r.binary
	d.Keys = decode[K](r, r.keys)
	paths := make(map[*section]*K) // one for all operations of a path
	for i := range r.operations {
		o := &r.operations[i]
		if _, seen := paths[o.pathKeys]; !seen && o.pathKeys != nil {
			paths[o.pathKeys] = decode[K](r, o.pathKeys)
		}
		d.Operations = append(d.Operations, Operation[K]{
			At: o.at, Method: o.method, Path: o.path, Callers: o.callers, Inherited: o.callers != nil && o.callers == r.security, Request: o.request,
			Keys: decode[K](r, o.keys), PathKeys: paths[o.pathKeys], Integration: integrationOf[K](r, o.integration),
		})
	}
}

func integrationOf[K any](r *reader, i *integration) *Integration[K] {
	if i == nil {
		return nil
	}
	return &Integration[K]{
		At: i.at, Unread: i.unread, Cannot: i.cannot, Address: i.address, Names: i.names, Private: i.private, Function: i.function, Payload: i.payload, Credentials: i.role, Method: i.method, Mock: i.mock, Mapping: i.mapping,
		Keys: decode[K](r, i.keys),
	}
}

// Release lets go of the tree of the file: what requests must be like is known
// no more, save as it was compiled.
func (d *Definition[K]) Release() {
	if d == nil {
		return
	}
	for i := range d.Operations {
		d.Operations[i].Request.release()
	}
}

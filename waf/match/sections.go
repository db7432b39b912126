package match

import (
	"net/netip"
	"strings"

	"gatehouse/config"
	"gatehouse/waf/field"
	"gatehouse/waf/ipset"
	"gatehouse/waf/text"
)

// Origin is the part of a section that says whose address is meant.
type Origin struct {
	From    string `yaml:"from" doc:"the header that names the address, such as x-forwarded-for; default: the client, as trusted proxies say it"`
	Place   string `yaml:"place" default:"first" enum:"first|last|any" doc:"which of the header's addresses; of any, one must match"`
	Missing string `yaml:"missing" default:"no-match" enum:"match|no-match" doc:"whether a request matches whose header names no address"`
}

func (o *Origin) source() Source {
	place := map[string]Place{"first": First, "last": Last, "any": Every}[o.Place]
	return Source{Header: o.From, Place: place, Missing: o.Missing == "match"}
}

type setName struct {
	config.At
	Name   string `yaml:"name,required" doc:"of the ip set"`
	Origin `yaml:",inline"`
}

func readIPSet(n *config.Node) Node {
	if n.Kind() == config.Scalar {
		name, _ := n.Text()
		return &IPSet{Name: name}
	}
	var s setName
	if !n.Decode(&s) {
		return nil
	}
	return &IPSet{Name: s.Name, From: s.source()}
}

type inline struct {
	config.At
	In     []config.Prefix `yaml:"in,required" single:"true" doc:"addresses and prefixes"`
	Origin `yaml:",inline"`
}

// prefixes is a small set of addresses.
type prefixes []netip.Prefix

// maxPrefixes is how many addresses stand in a statement: more have a set.
const maxPrefixes = 256

func (p prefixes) Contains(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, each := range p {
		if each.Contains(a) {
			return true
		}
	}
	return false
}

// NewSet returns a set of addresses. Those that could not be read are not in it.
func NewSet(list []netip.Prefix) Addresses {
	var b ipset.Builder
	for _, p := range list {
		if p.IsValid() {
			b.Add(ipset.Of(p))
		}
	}
	return b.Build()
}

func readAddress(n *config.Node) Node {
	var s inline
	switch n.Kind() {
	case config.Map:
		n.Decode(&s)
	case config.List:
		n.Decode(&s.In)
	default:
		s.In = make([]config.Prefix, 1)
		n.Decode(&s.In[0])
	}
	if len(s.In) == 0 || len(s.In) > maxPrefixes {
		n.Errorf("write 1 to %d addresses here: more have an ip set", maxPrefixes)
	}
	var list prefixes
	for _, p := range s.In {
		list = append(list, p.Prefix)
	}
	return &IPSet{Inline: list, From: s.source()}
}

type countries struct {
	config.At
	In     []string `yaml:"in,required" single:"true" doc:"countries by ISO 3166-1 alpha-2: [KP]"`
	Origin `yaml:",inline"`
}

func readCountry(n *config.Node) Node {
	var s countries
	if n.Kind() == config.Map {
		n.Decode(&s)
	} else {
		s.In, _ = texts(n)
	}
	for i, code := range s.In {
		if len(code) != 2 || !isLetters(code) {
			n.Errorf("%q is no country: write its two letters of ISO 3166-1, such as KP", code)
		}
		s.In[i] = strings.ToUpper(code)
	}
	return &Country{Codes: s.In, From: s.source()}
}

func isLetters(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

type namespace struct {
	config.At
	Namespace string `yaml:"namespace,required" doc:"any label below it"`
}

func readLabel(n *config.Node) Node {
	if n.Kind() == config.Scalar {
		key, _ := n.Text()
		return &Label{Key: key}
	}
	var s namespace
	n.Decode(&s)
	return &Label{Key: s.Namespace, Namespace: true}
}

// injection is the section of sqli and xss.
type injection struct {
	config.At
	Fields      []fieldName `yaml:"field,required" single:"true" doc:"what is inspected: body, query, path, arguments, cookies, headers, json, {header: NAME}, {argument: NAME}, {cookie: NAME}; of several, one must match"`
	Sensitivity string      `yaml:"sensitivity" default:"low" enum:"low|high" doc:"of sqli: high finds more, also where there is none"`
	Transform   []transform `yaml:"transform" single:"true" doc:"text transformations; by default what undoes the field's own encoding"`
}

// fieldName is a field as it is named.
type fieldName struct{ Spec field.Spec }

func (f *fieldName) UnmarshalConfig(n *config.Node) {
	if n.Kind() == config.Scalar {
		name, _ := n.Text()
		f.read(name, n, nil)
		return
	}
	count := 0
	n.Each(func(key string, _ config.Pos, value *config.Node) {
		count++
		f.read(key, n, value)
	})
	if count != 1 {
		n.Errorf("a field is a name such as body, or a map of one key such as {header: user-agent}")
	}
}

// read reads a field of a key; value is the rest of it, or nil.
func (f *fieldName) read(key string, n, value *config.Node) {
	kind, ok := kindOf(key)
	if !ok {
		n.Unknown("field", key, []string{"method", "path", "query", "arguments", "headers", "cookies", "body", "json"})
		return
	}
	c := condition{Scope: "both"}
	switch {
	case value == nil:
	case value.Kind() == config.Map:
		value.Decode(&c)
	default:
		list, _ := texts(value)
		switch {
		case key == "json":
			c.Members = list
		case key == "headers" || key == "cookies":
			c.Names = list
		case len(list) == 1:
			c.Name = list[0]
		}
	}
	if len(c.tests()) > 0 || len(c.Transform) > 0 {
		n.Errorf("a field has no tests and no transformations of its own")
	}
	f.Spec = c.spec(kind, key, n)
}

func (fieldName) ConfigSchema() *config.Schema {
	s := &config.Schema{Type: "object", AdditionalProperties: false, Properties: map[string]*config.Schema{}}
	name := &config.Schema{Type: "string"}
	for _, f := range fieldKeys {
		name.Enum = append(name.Enum, f.key)
		s.Properties[f.key] = &config.Schema{Description: f.doc, AnyOf: []*config.Schema{{Type: "string"}, {Type: "array", Items: &config.Schema{Type: "string"}}, config.ReferenceTo(condition{})}}
	}
	return &config.Schema{AnyOf: []*config.Schema{name, s}}
}

func readInjection(key string, n *config.Node) Node {
	s := injection{Sensitivity: "low"}
	if n.Kind() == config.Map {
		if !n.Decode(&s) {
			return nil
		}
	} else if n.Kind() == config.List {
		n.Decode(&s.Fields)
	} else {
		s.Fields = make([]fieldName, 1)
		n.Decode(&s.Fields[0])
	}
	if key == "xss" && s.Has("sensitivity") {
		n.Errorf("xss has no sensitivity")
	}
	var test Test = &SQLi{High: s.Sensitivity == "high"}
	if key == "xss" {
		test = XSS{}
	}
	var out Any
	for _, f := range s.Fields {
		steps := chain(s.Transform)
		if !s.Has("transform") {
			steps = undone(f.Spec.Kind, key == "xss")
		}
		out = append(out, &Statement{Pos: n.Pos(), Node: &Content{Field: f.Spec, Chain: steps, Tests: []Test{test}}})
	}
	return out
}

// undone is what undoes the encoding in which a field comes, as its service will,
// and for scripts as a page will.
func undone(kind field.Kind, page bool) (out text.Chain) {
	switch kind {
	case field.Path, field.Query, field.Argument, field.Arguments, field.Cookies, field.Body:
		out = append(out, text.URLDecodeUni)
	}
	if page {
		out = append(out, text.HTMLEntityDecode)
	}
	return out
}

// rateSection is a rate statement as it is written.
type rateSection struct {
	config.At
	Limit  int             `yaml:"limit,required" range:"10..2000000000" doc:"requests within the window that do not match; what is over matches"`
	Window config.Duration `yaml:"window" default:"5m" range:"60s..600s" doc:"how long a request counts"`
	Keys   []rateKey       `yaml:"key" single:"true" doc:"whom to count together: ip (the default), all, path, method, query, ja3, ja4, {ip: HEADER}, {header: NAME}, {argument: NAME}, {cookie: NAME}, {label: NAMESPACE}; several together make one key"`
	When   *Statement      `yaml:"when" doc:"which requests count; default: all"`
}

// maxKeys is how many parts a key may have, as in AWS WAF.
const maxKeys = 5

func readRate(n *config.Node) Node {
	s := rateSection{}
	if !n.Decode(&s) {
		return nil
	}
	out := &RateBased{Limit: s.Limit, Window: s.Window.D(), When: s.When}
	for _, k := range s.Keys {
		out.Keys = append(out.Keys, k.Key)
	}
	if len(out.Keys) == 0 {
		out.Keys = []Key{{IP: true}}
	}
	if len(out.Keys) > maxKeys {
		n.Errorf("a key has at most %d parts", maxKeys)
	}
	return out
}

// rateKey is a part of a key as it is written.
type rateKey struct{ Key Key }

func (k *rateKey) UnmarshalConfig(n *config.Node) {
	var f fieldName
	if n.Kind() != config.Map {
		switch name, _ := n.Text(); name {
		case "ip":
			k.Key.IP = true
		case "all":
			k.Key.Constant = true
		default:
			f.read(name, n, nil)
			k.Key.Field = &f.Spec
		}
		return
	}
	var steps []transform
	parts := 0
	n.Each(func(key string, _ config.Pos, value *config.Node) {
		if key == "transform" {
			steps = readTransforms(value)
			return
		}
		if parts++; !k.special(key, value) {
			f.read(key, n, value)
			k.Key.Field = &f.Spec
		}
	})
	if parts != 1 {
		n.Errorf("a part of a key is a name such as ip, or a map of one such as {header: x-tenant}, with transform beside it")
	}
	if k.Key.Chain = chain(steps); len(steps) > 0 && k.Key.Field == nil {
		n.Errorf("addresses and labels have no transformations")
	}
	if len(steps) > text.MaxChain {
		n.Errorf("at most %d transformations", text.MaxChain)
	}
}

// readTransforms reads one transformation, or a list of them.
func readTransforms(n *config.Node) []transform {
	var list []transform
	if n.Kind() == config.List {
		n.Decode(&list)
		return list
	}
	list = make([]transform, 1)
	n.Decode(&list[0])
	return list
}

// special reads a part that is no field.
func (k *rateKey) special(key string, value *config.Node) bool {
	switch key {
	case "ip":
		var o struct {
			config.At
			Origin `yaml:",inline"`
		}
		if value.Kind() == config.Scalar {
			o.From, _ = value.Text()
		} else {
			value.Decode(&o)
		}
		k.Key.IP, k.Key.From = true, o.source()
	case "label":
		k.Key.Label, _ = value.Text()
		if wrong := CheckLabel(k.Key.Label); wrong != "" {
			value.Errorf("%s", wrong)
		}
	default:
		return false
	}
	return true
}

func (rateKey) ConfigSchema() *config.Schema {
	fields := fieldName{}.ConfigSchema()
	one := transform{}.ConfigSchema()
	fields.AnyOf[1].Properties["transform"] = &config.Schema{Description: "text transformations before it is counted, in this order", AnyOf: []*config.Schema{one, {Type: "array", Items: one}}}
	ip := &config.Schema{Description: "the address that a header names", AnyOf: []*config.Schema{{Type: "string"}, config.SchemaOf(setOrigin{})}}
	fields.AnyOf = append(fields.AnyOf,
		&config.Schema{Type: "string", Enum: []any{"ip", "all"}},
		&config.Schema{Type: "object", AdditionalProperties: false, Properties: map[string]*config.Schema{"ip": ip, "label": {Type: "string", Description: "the labels of this namespace"}}})
	return fields
}

type setOrigin struct {
	config.At
	Origin `yaml:",inline"`
}

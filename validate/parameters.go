package validate

import (
	"net/http"
	"net/textproto"
	"strings"

	"gatehouse/exchange"
	"gatehouse/validate/jsondoc"
	"gatehouse/validate/schema"
)

// pair is one parameter as the client sent it.
type pair struct{ name, value string } // the name decoded, the value not

// maxPairs is how many parameters a query or a form may have.
const maxPairs = 1000

const (
	badParameters = "Invalid request parameters"
	badBody       = "Invalid request body"
)

// parameters checks all parameters of the request. What is missing is told all
// at once, as API Gateway does; what is wrong one by one.
func (v *visit) parameters() fault {
	if wrong := v.split(v.x.Path.Query); wrong != "" {
		return parameterFault("query: " + wrong)
	}
	var missing []string
	var first string
	each := func(list []*parameter, get func(*parameter) (found bool, problem string)) {
		for _, p := range list {
			found, problem := get(p)
			if !found && p.Required {
				missing = append(missing, p.Name)
			}
			if problem != "" && first == "" {
				first = p.In + "." + p.Name + ": " + problem
			}
		}
	}
	each(v.path, v.pathParameter)
	each(v.query, v.queryParameter)
	each(v.header, v.headerParameter)
	each(v.cookie, v.cookieParameter)
	switch {
	case len(missing) > 0:
		text := "Missing required request parameters: [" + strings.Join(missing, ", ") + "]"
		return fault{status: http.StatusBadRequest, kind: exchange.BadRequestParameters, reason: "parameters", message: text, detail: text}
	case first != "":
		return parameterFault(first)
	case v.config.Strict:
		return v.strict()
	}
	return fault{}
}

func parameterFault(detail string) fault {
	return fault{status: http.StatusBadRequest, kind: exchange.BadRequestParameters, reason: "parameters", message: badParameters, detail: detail}
}

// split takes a query apart.
func (v *visit) split(query string) string {
	v.pairs = v.pairs[:0]
	for query != "" {
		var part string
		part, query, _ = strings.Cut(query, "&")
		if part == "" {
			continue
		}
		if len(v.pairs) == maxPairs {
			return "more parameters than are taken"
		}
		name, value, _ := strings.Cut(part, "=")
		name, ok := decoded(name)
		if !ok {
			return "a name that is encoded wrongly"
		}
		v.pairs = append(v.pairs, pair{name, value})
	}
	return ""
}

// strict refuses query parameters that nobody knows.
func (v *visit) strict() fault {
	for _, p := range v.pairs {
		if v.named[p.name] || hasPrefix(p.name, v.prefix) {
			continue
		}
		return parameterFault("query: a parameter that the definition does not name")
	}
	return fault{}
}

func hasPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

func (v *visit) pathParameter(p *parameter) (bool, string) {
	for i := range v.x.Params {
		if v.x.Params[i].Name == p.Name {
			value := v.x.Params[i].Value
			return value != "", v.value(p, value, false)
		}
	}
	return true, "" // the router says what a path has
}

func (v *visit) headerParameter(p *parameter) (bool, string) {
	values := v.r.Header[textproto.CanonicalMIMEHeaderKey(p.Name)]
	switch {
	case len(values) == 0:
		return false, ""
	case len(values) == 1:
		return present(p, values[0]), v.value(p, values[0], false)
	}
	return true, v.value(p, strings.Join(values, ","), false)
}

// present reports whether a value counts as one: API Gateway takes an empty one
// for none.
func present(p *parameter, value string) bool { return value != "" || p.AllowEmpty }

func (v *visit) cookieParameter(p *parameter) (bool, string) {
	for _, line := range v.r.Header["Cookie"] {
		for item := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(strings.Trim(item, " \t"), "=")
			if name == p.Name {
				value = strings.Trim(value, `"`)
				return present(p, value), v.value(p, value, true)
			}
		}
	}
	return false, ""
}

func (v *visit) queryParameter(p *parameter) (bool, string) {
	switch {
	case p.Style == "deepObject":
		return v.deepObject(p)
	case p.spread():
		return v.spreadObject(p)
	}
	found, count := false, 0
	var last string
	for _, q := range v.pairs {
		if q.name == p.Name {
			last = q.value
			count++
			found = found || present(p, q.value)
		}
	}
	switch {
	case count == 0:
		return false, ""
	case p.shape.Kind == schema.ShapeArray && p.Explode && !p.json:
		return found, v.exploded(p)
	case count > 1:
		return found, "is there more than once"
	}
	return found, v.value(p, last, true)
}

// exploded checks an array whose items come each as a parameter of its own.
func (v *visit) exploded(p *parameter) string {
	v.doc.Reset()
	array := v.doc.Add(jsondoc.Array, "", 0)
	count := 0
	for _, q := range v.pairs {
		if q.name == p.Name {
			text, ok := decoded(q.value)
			if !ok {
				return "is encoded wrongly"
			}
			v.doc.Add(jsondoc.Loose, text, 0)
			count++
		}
	}
	v.doc.End(array, count)
	return v.fits(p.schema, array)
}

// spreadObject checks an object whose members come each as a parameter of its
// own.
func (v *visit) spreadObject(p *parameter) (bool, string) {
	v.doc.Reset()
	object := v.doc.Add(jsondoc.Object, "", 0)
	count := 0
	for _, name := range p.shape.Members {
		n, problem := v.member(name, name, p.schema)
		if problem != "" {
			return true, problem
		}
		count += n
	}
	v.doc.End(object, count)
	if count == 0 {
		return false, ""
	}
	return true, v.fits(p.schema, object)
}

// member adds a member whose value, or values, come as the parameter key; it
// returns 0 where there is none.
func (v *visit) member(key, name string, s *schema.Schema) (int, string) {
	var values []string
	for _, q := range v.pairs {
		if q.name == key {
			text, ok := decoded(q.value)
			if !ok {
				return 0, "is encoded wrongly"
			}
			values = append(values, text)
		}
	}
	if len(values) == 0 {
		return 0, ""
	}
	v.doc.Add(jsondoc.String, name, 0)
	if s.Member(name).Kind == schema.ShapeArray {
		v.items(values)
	} else if len(values) > 1 {
		return 0, "has a member more than once"
	} else {
		v.doc.Add(jsondoc.Loose, values[0], 0)
	}
	return 1, ""
}

func (v *visit) items(values []string) uint32 {
	array := v.doc.Add(jsondoc.Array, "", 0)
	for _, value := range values {
		v.doc.Add(jsondoc.Loose, value, 0)
	}
	v.doc.End(array, len(values))
	return array
}

// deepObject checks filter[status]=open&filter[from]=5. Members of members have
// no form that OpenAPI would define.
func (v *visit) deepObject(p *parameter) (bool, string) {
	v.doc.Reset()
	object := v.doc.Add(jsondoc.Object, "", 0)
	var names []string
	for _, q := range v.pairs {
		rest, ok := strings.CutPrefix(q.name, p.Name+"[")
		name, closed := strings.CutSuffix(rest, "]")
		if !ok {
			continue
		}
		if !closed || strings.ContainsAny(name, "[]") {
			return true, "has a member with a name that is not written [name]"
		}
		if !contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if _, problem := v.member(p.Name+"["+name+"]", name, p.schema); problem != "" {
			return true, problem
		}
	}
	v.doc.End(object, len(names))
	if len(names) == 0 {
		return false, ""
	}
	return true, v.fits(p.schema, object)
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// value checks a parameter that is one text; encoded says that it is in percent
// encoding. Commas and their like part items before anything is decoded.
func (v *visit) value(p *parameter, raw string, encoded bool) string {
	if p.schema == nil {
		return ""
	}
	if raw == "" && p.AllowEmpty {
		return ""
	}
	if p.json {
		return v.jsonValue(p, raw, encoded)
	}
	raw = strings.TrimPrefix(raw, p.lead)
	if p.shape.Kind == schema.ShapeOne {
		text, ok := maybeDecoded(raw, encoded)
		if !ok {
			return "is encoded wrongly"
		}
		v.doc.Reset()
		return v.fits(p.schema, v.doc.Add(jsondoc.Loose, text, 0))
	}
	parts, ok := p.parts(raw, encoded)
	if !ok {
		return "is encoded wrongly"
	}
	v.doc.Reset()
	if p.shape.Kind == schema.ShapeArray {
		return v.fits(p.schema, v.items(parts))
	}
	object, ok := v.pairsOf(p, parts)
	if !ok {
		return "is no list of names and values"
	}
	return v.fits(p.schema, object)
}

// parts takes the items of a value apart.
func (p *parameter) parts(raw string, encoded bool) ([]string, bool) {
	if raw == "" {
		return nil, true
	}
	if p.split != "," && encoded {
		text, ok := decoded(raw) // a space or a bar must be encoded itself
		if !ok {
			return nil, false
		}
		raw, encoded = text, false
	}
	parts := strings.SplitN(raw, p.split, maxPairs+1)
	for i := range parts {
		text, ok := maybeDecoded(parts[i], encoded)
		if !ok {
			return nil, false
		}
		parts[i] = strings.Trim(text, " ")
	}
	return parts, len(parts) <= maxPairs
}

// pairsOf makes an object of name,value,name,value or, exploded, of
// name=value,name=value.
func (v *visit) pairsOf(p *parameter, parts []string) (uint32, bool) {
	object := v.doc.Add(jsondoc.Object, "", 0)
	count := 0
	for i := 0; i < len(parts); i++ {
		name, value, ok := strings.Cut(parts[i], "=")
		if !p.Explode {
			if i+1 == len(parts) {
				return 0, false
			}
			name, value, ok = parts[i], parts[i+1], true
			i++
		}
		if !ok {
			return 0, false
		}
		v.doc.Add(jsondoc.String, name, 0)
		v.doc.Add(jsondoc.Loose, value, 0)
		count++
	}
	v.doc.End(object, count)
	return object, true
}

func (v *visit) jsonValue(p *parameter, raw string, encoded bool) string {
	text, ok := maybeDecoded(raw, encoded)
	if !ok {
		return "is encoded wrongly"
	}
	if err := v.doc.Parse([]byte(text), v.limits); err != nil {
		return "is no JSON that is taken: " + err.What
	}
	return v.fits(p.schema, 0)
}

// fits holds a node of the Doc against a schema, and says what is wrong.
func (v *visit) fits(s *schema.Schema, n uint32) string {
	if s == nil || v.checker.Check(s, n) {
		return ""
	}
	wrong := v.checker.Fault()
	where := v.doc.Pointer(n, wrong.Node)
	if where == "" {
		return wrong.What
	}
	return where + " " + wrong.What
}

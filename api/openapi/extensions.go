package openapi

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"gatehouse/config"
)

// place is a part of a definition that extensions may stand in.
type place uint8

const (
	inRoot place = 1 << iota
	inPath
	inOperation
	inComponents
	inScheme
	inTag
	inServer
)

func (p place) String() string {
	names := [...]string{"at the root", "in a path", "in an operation", "in components", "in a security scheme", "in a tag", "in a server"}
	var out []string
	for i, name := range names {
		if p&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return strings.Join(out, " or ")
}

const amazon = "x-amazon-apigateway-"

// known are API Gateway's extensions, without their prefix, with the places
// that they stand in.
func known() map[string]place {
	return map[string]place{
		"any-method":               inPath,
		"api-key-source":           inRoot,
		"auth":                     inOperation,
		"authorizer":               inScheme,
		"authtype":                 inScheme,
		"binary-media-types":       inRoot,
		"cors":                     inRoot,
		"documentation":            inRoot,
		"endpoint-access-mode":     inRoot,
		"endpoint-configuration":   inRoot | inServer,
		"gateway-responses":        inRoot,
		"importexport-version":     inRoot,
		"integration":              inOperation,
		"integrations":             inRoot | inComponents,
		"minimum-compression-size": inRoot,
		"policy":                   inRoot,
		"request-validator":        inRoot | inOperation,
		"request-validators":       inRoot,
		"security-policy":          inRoot,
		"tag-value":                inTag,
	}
}

// extensions reports those of API Gateway's extensions of v that nobody knows,
// or that do not stand in such a place.
func (r *reader) extensions(v *config.Value, in place) {
	for _, e := range v.Entries {
		if strings.HasPrefix(e.Key, amazon) {
			r.extensionIn(e, in)
		}
	}
}

func (r *reader) extensionIn(e config.Entry, in place) {
	all := known()
	places, ok := all[strings.TrimPrefix(e.Key, amazon)]
	switch {
	case !ok:
		names := slices.Sorted(maps.Keys(all))
		for i := range names {
			names[i] = amazon + names[i]
		}
		r.Unknown(e.Pos, "extension", e.Key, names)
	case places&in == 0:
		r.Errorf(e.Pos, "%s stands %v, not here", e.Key, places)
	}
}

// extension reports an extension that stands where none of ours and of API
// Gateway's can.
func (r *reader) extension(e config.Entry, what string) {
	switch {
	case strings.HasPrefix(e.Key, amazon):
		r.extensionIn(e, 0)
	case strings.HasPrefix(e.Key, ours):
		r.Errorf(e.Pos, "%s stands at the root, in a path or in an operation, not in %s", e.Key, what)
	}
}

// rootKeys reads what the root says for all operations.
func (r *reader) rootKeys() {
	r.extensions(r.root, inRoot)
	r.keys = newSection("the definition", r.root)
	if components := find(r.root, "components"); components != nil {
		r.extensions(components, inComponents)
	}
	if tags := find(r.root, "tags"); tags != nil {
		for _, tag := range tags.Items {
			r.extensions(tag, inTag)
		}
	}
	r.cors(find(r.root, amazon+"cors"))
	r.endpoints()
	r.readValidators()
	r.gatewayResponses(find(r.root, amazon+"gateway-responses"))
	r.compression(find(r.root, amazon+"minimum-compression-size"))
	r.policy = find(r.root, amazon+"policy")
	if v := find(r.root, amazon+"api-key-source"); v != nil {
		r.keySource = KeySource(strings.Clone(v.Text))
		if r.keySource != FromHeader && r.keySource != FromAuthorizer {
			r.Errorf(v.Pos, "%sapi-key-source is HEADER or AUTHORIZER", amazon)
		}
	}
	if v := find(r.root, amazon+"binary-media-types"); v != nil && r.is(v, config.List, amazon+"binary-media-types") {
		r.binary = r.words(r.root, amazon+"binary-media-types") // for functions: to servers bodies pass as they are
	}
}

// endpoints reads where the API was reached: here listeners and domains say it.
func (r *reader) endpoints() {
	all := []*config.Value{find(r.root, amazon+"endpoint-configuration")}
	if servers := find(r.root, "servers"); servers != nil {
		for _, s := range servers.Items {
			r.extensions(s, inServer)
			all = append(all, find(s, amazon+"endpoint-configuration"))
		}
	}
	for _, v := range all {
		private := slices.Contains(r.words(v, "types"), "PRIVATE") || len(r.words(v, "vpcEndpointIds")) > 0
		if private {
			r.Hint(v.Pos, "remove types and vpcEndpointIds, and let a listener with a private address serve it", "a PRIVATE API answers in its VPC alone, which this gateway knows nothing of")
		}
	}
}

// cors reads the CORS of an HTTP API into the keys of ours.
func (r *reader) cors(v *config.Value) {
	if v == nil || !r.is(v, config.Map, amazon+"cors") {
		return
	}
	out := &config.Value{Kind: config.Map, Pos: v.Pos, File: v.File}
	names := map[string]string{
		"allowOrigins": "origins", "allowMethods": "methods", "allowHeaders": "headers", "exposeHeaders": "expose",
		"allowCredentials": "credentials", "maxAge": "max-age",
	}
	for _, e := range v.Entries {
		name := names[e.Key]
		value := e.Value
		switch {
		case name == "":
			r.Unknown(e.Pos, "key of "+amazon+"cors", e.Key, slices.Sorted(maps.Keys(names)))
			continue
		case name == "max-age":
			value = text(value, value.Text+"s")
		case name == "credentials":
			value = plain(value, value.Text)
		case value.Kind == config.List && len(value.Items) == 0 || value.Kind == config.Null:
			continue // none, as exports write it
		}
		out.Entries = append(out.Entries, entry(name, e.Pos, value))
	}
	r.keys.set("cors", v.Pos, out)
}

// maxCompressed is the largest size below which bodies stay plain.
const maxCompressed = 1 << 20

// compression reads the size from which on bodies are compressed.
func (r *reader) compression(v *config.Value) {
	if v == nil {
		return
	}
	size, err := strconv.Atoi(v.Text)
	if err != nil || size < 0 || size > 10<<20 {
		r.Errorf(v.Pos, "%sminimum-compression-size is a number of bytes from 0 to 10485760", amazon)
		return
	}
	if size > maxCompressed {
		r.warn(v.Pos, "answers are compressed from %d bytes on, not from %d: no larger size can be said", maxCompressed, size)
		size = maxCompressed
	}
	out := &config.Value{Kind: config.Map, Pos: v.Pos, File: v.File}
	out.Entries = append(out.Entries, entry("min-size", v.Pos, plain(v, strconv.Itoa(size))))
	r.keys.set("compress", v.Pos, out)
}

// checks is what a request validator looks at.
type checks struct{ body, parameters bool }

// readValidators reads the request validators, and which of them holds for
// operations that name none.
func (r *reader) readValidators() {
	r.validators = make(map[string]checks)
	if all := find(r.root, amazon+"request-validators"); all != nil && r.is(all, config.Map, amazon+"request-validators") {
		for _, e := range all.Entries {
			r.validators[e.Key] = checks{r.flag(e.Value, "validateRequestBody"), r.flag(e.Value, "validateRequestParameters")}
		}
	}
	r.requestValidator(r.root, r.keys)
}

// requestValidator reads which validator a level names.
func (r *reader) requestValidator(v *config.Value, keys *section) {
	name := find(v, amazon+"request-validator")
	if name == nil {
		return
	}
	c, ok := r.validators[name.Text]
	if !ok {
		r.Unknown(name.Pos, "request validator", name.Text, slices.Sorted(maps.Keys(r.validators)))
		return
	}
	out := &config.Value{Kind: config.Map, Pos: name.Pos, File: name.File}
	for _, part := range []struct {
		key string
		on  bool
	}{{"parameters", c.parameters}, {"body", c.body}} {
		out.Entries = append(out.Entries, entry(part.key, name.Pos, plain(name, strconv.FormatBool(part.on))))
	}
	keys.set("validate", name.Pos, out)
}

package openapi

import (
	"strings"

	"gatehouse/config"
)

// gatewayResponses says in our keys what refusals look like: the types and the
// variables have the same names.
func (r *reader) gatewayResponses(v *config.Value) {
	if v == nil || !r.is(v, config.Map, amazon+"gateway-responses") {
		return
	}
	out := &config.Value{Kind: config.Map, Pos: v.Pos, File: v.File}
	for _, e := range v.Entries {
		if r.is(e.Value, config.Map, e.Key) {
			out.Entries = append(out.Entries, entry(e.Key, e.Pos, r.gatewayResponse(e.Value)))
		}
	}
	r.keys.set("gateway-responses", v.Pos, out)
}

func (r *reader) gatewayResponse(v *config.Value) *config.Value {
	out := &section{value: config.Value{Kind: config.Map, Pos: v.Pos, File: v.File}}
	for _, e := range v.Entries {
		switch e.Key {
		case "statusCode":
			out.set("status", e.Pos, plain(e.Value, e.Value.Text))
		case "responseParameters":
			r.responseHeaders(out, e)
		case "responseTemplates":
			if r.is(e.Value, config.Map, e.Key) && len(e.Value.Entries) > 0 {
				bodies := out.in("bodies", e.Pos)
				for _, t := range e.Value.Entries {
					bodies.Entries = append(bodies.Entries, entry(t.Key, t.Pos, template(t.Value, t.Value.Text)))
				}
			}
		default:
			r.Unknown(e.Pos, "key of a gateway response", e.Key, []string{"statusCode", "responseParameters", "responseTemplates"})
		}
	}
	return &out.value
}

func (r *reader) responseHeaders(out *section, e config.Entry) {
	if !r.is(e.Value, config.Map, e.Key) || len(e.Value.Entries) == 0 {
		return
	}
	headers := out.in("headers", e.Pos)
	for _, h := range e.Value.Entries {
		name, isHeader := strings.CutPrefix(h.Key, "gatewayresponse.header.")
		value, ok := responseValue(h.Value.Text)
		if !isHeader || !ok {
			r.Errorf(h.Pos, `a gateway response has headers: gatewayresponse.header.NAME: "'literal'", context.NAME, stageVariables.NAME or method.request.header.NAME`)
			continue
		}
		headers.Entries = append(headers.Entries, entry(name, h.Pos, template(h.Value, value)))
	}
}

// responseValue returns a header's value as gateway-responses writes it.
func responseValue(from string) (string, bool) {
	if literal, ok := literalOf(from); ok {
		return literal, !strings.Contains(literal, "$")
	}
	for _, prefix := range []string{"context.", "stageVariables.", "method.request.header."} {
		if strings.HasPrefix(from, prefix) {
			return "$" + from, true
		}
	}
	return "", false
}

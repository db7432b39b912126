package openapi

import (
	"strconv"
	"strings"

	"gatehouse/config"
)

// GatewayResponse is what x-amazon-apigateway-gateway-responses says of one
// type of refusals.
type GatewayResponse struct {
	Type      string // "DEFAULT_4XX", "UNAUTHORIZED"
	At        config.Pos
	Status    int               // 0 for the usual one
	Headers   map[string]string // literals, by name
	Templates map[string]string // by media type; with $context variables
}

// gatewayResponses reads the answers of the gateway's own.
func (r *reader) gatewayResponses(v *config.Value) {
	if v == nil || !r.is(v, config.Map, amazon+"gateway-responses") {
		return
	}
	for _, e := range v.Entries {
		if r.is(e.Value, config.Map, e.Key) {
			r.responses = append(r.responses, r.gatewayResponse(e))
		}
	}
	r.warn(v.Pos, "%sgateway-responses are not used by this version: refusals look as they do without", amazon)
}

func (r *reader) gatewayResponse(e config.Entry) GatewayResponse {
	g := GatewayResponse{Type: e.Key, At: e.Pos, Headers: make(map[string]string), Templates: make(map[string]string)}
	if s := find(e.Value, "statusCode"); s != nil {
		n, err := strconv.Atoi(s.Text)
		if err != nil || n < 200 || n > 599 {
			r.Errorf(s.Pos, "the status of a gateway response is a number from 200 to 599")
		}
		g.Status = n
	}
	if all := find(e.Value, "responseParameters"); all != nil {
		for _, h := range all.Entries {
			name, isHeader := strings.CutPrefix(h.Key, "gatewayresponse.header.")
			value, isLiteral := literalOf(h.Value.Text)
			if !isHeader || !isLiteral || !isField(name, value) {
				r.Errorf(h.Pos, `a gateway response has literal headers: gatewayresponse.header.NAME: "'value'"`)
				continue
			}
			g.Headers[name] = strings.Clone(value)
		}
	}
	if all := find(e.Value, "responseTemplates"); all != nil {
		for _, t := range all.Entries {
			g.Templates[t.Key] = strings.Clone(t.Value.Text)
		}
	}
	return g
}

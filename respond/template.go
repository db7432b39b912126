package respond

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/config"
)

// source is where a variable's value comes from.
type source uint8

const (
	literal source = iota
	context        // $context.NAME
	stage          // $stageVariables.NAME
	header         // $method.request.header.NAME
	query          // $method.request.querystring.NAME
	path           // $method.request.path.NAME
)

// piece is a part of a text: literal text, or a variable.
type piece struct {
	source source
	text   string // the literal, or the variable's name
}

// prefixes are what variables begin with.
var prefixes = [...]struct {
	text   string
	source source
}{
	{"context.", context}, {"stageVariables.", stage}, {"stage.", stage},
	{"method.request.header.", header}, {"method.request.querystring.", query}, {"method.request.path.", path},
}

// parse cuts a text into pieces. Variables are written $context.NAME or
// ${context.NAME}; $${ stands for ${, any other $ for itself.
func parse(text string) ([]piece, error) {
	var out []piece
	for text != "" {
		before, after, more := strings.Cut(text, "$")
		out = addLiteral(out, before)
		if !more {
			break
		}
		var err error
		if out, text, err = dollar(out, after); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func addLiteral(out []piece, text string) []piece {
	if n := len(out); n > 0 && out[n-1].source == literal {
		out[n-1].text += text
	} else if text != "" {
		out = append(out, piece{literal, text})
	}
	return out
}

// dollar adds what a $ begins, with what follows it, and returns the rest.
func dollar(out []piece, after string) ([]piece, string, error) {
	if strings.HasPrefix(after, "${") {
		return addLiteral(out, "${"), after[2:], nil
	}
	if braced, ok := strings.CutPrefix(after, "{"); ok {
		name, rest, closed := strings.Cut(braced, "}")
		p, size := variable(name)
		if p.source == stage {
			_, p.text, _ = strings.Cut(name, ".") // within braces, whatever it is called
			size = len(name)
		}
		if !closed || size == 0 || size != len(name) {
			return nil, "", fmt.Errorf("unknown variable ${%s}: write ${context.NAME}, ${stageVariables.NAME} or ${method.request.header.NAME}; $${ stands for ${ itself", shorten(name))
		}
		return append(out, p), rest, p.check()
	}
	for _, foreign := range [...]string{"input.", "util.", "stageVariable.", "contxt."} {
		if strings.HasPrefix(after, foreign) {
			return nil, "", fmt.Errorf("unknown variable $%s: a gateway response knows $context.NAME, $stageVariables.NAME, and $method.request.header.NAME, .querystring.NAME and .path.NAME", shorten(after))
		}
	}
	p, size := variable(after)
	if size == 0 {
		return addLiteral(out, "$"), after, nil
	}
	return append(out, p), after[size:], p.check()
}

// variable returns the variable that s begins with, and its length; 0 for none.
func variable(s string) (piece, int) {
	for _, known := range prefixes {
		rest, ok := strings.CutPrefix(s, known.text)
		if !ok {
			continue
		}
		n := 0
		for n < len(rest) && (isNameByte(rest[n]) || known.source >= header && rest[n] == '-' || known.source == context && rest[n] == '.' && n+1 < len(rest) && isNameByte(rest[n+1])) {
			n++
		}
		return piece{known.source, rest[:n]}, len(known.text) + n
	}
	return piece{}, 0
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// check reports a variable that there is not, or that is not for clients: what
// failed behind the gateway is for the log alone.
func (p piece) check() error {
	if p.text == "" {
		return fmt.Errorf("a variable without a name")
	}
	if p.source != context || slices.Contains(Variables(), p.text) {
		return nil
	}
	if claim, ok := strings.CutPrefix(p.text, "authorizer."); ok && !slices.Contains([]string{"claims", "error", "latency", "status", "requestId", "integrationLatency", "integrationStatus"}, claim) {
		return nil
	}
	if near := config.Nearest(p.text, Variables()); near != "" {
		return fmt.Errorf("unknown variable $context.%s: did you mean $context.%s?", p.text, near)
	}
	return fmt.Errorf("unknown variable $context.%s, or one that is not for clients", p.text)
}

// Variables returns the variables of $context that an answer may tell, without
// "$context.". Beside them, authorizer.NAME and authorizer.claims.NAME are any
// claim of the principal.
func Variables() []string {
	return []string{
		"accountId", "apiId", "authorizer.principalId", "awsEndpointRequestId", "deploymentId", "domainName", "domainPrefix",
		"error.message", "error.messageString", "error.responseType", "error.validationErrorString", "extendedRequestId", "httpMethod",
		"identity.accountId", "identity.apiKey", "identity.apiKeyId", "identity.caller",
		"identity.clientCert.clientCertPem", "identity.clientCert.issuerDN", "identity.clientCert.serialNumber",
		"identity.clientCert.subjectDN", "identity.clientCert.validity.notAfter", "identity.clientCert.validity.notBefore",
		"identity.cognitoAuthenticationProvider", "identity.cognitoAuthenticationType", "identity.cognitoIdentityId", "identity.cognitoIdentityPoolId",
		"identity.principalOrgId", "identity.sourceIp", "identity.user", "identity.userAgent", "identity.userArn", "identity.vpcId", "identity.vpceId",
		"isCanaryRequest", "path", "protocol", "requestId", "requestTime", "requestTimeEpoch", "resourceId", "resourcePath", "routeKey",
		"stage", "status", "traceId", "wafResponseCode", "webaclArn", "xrayTraceId",
	}
}

func shorten(s string) string {
	if end := strings.IndexAny(s, " \t\r\n\"'<>(){}"); end >= 0 {
		s = s[:end]
	}
	return s[:min(len(s), 40)]
}

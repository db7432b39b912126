package respond

import (
	"maps"
	"net/textproto"
	"slices"
	"strings"

	"gatehouse/config"
	"gatehouse/exchange"
)

// Config is the gateway-responses section: what refusals look like, by type.
type Config struct {
	config.At
	Types map[exchange.ResponseType]*Response
}

// Response is what refusals of one type look like.
type Response struct {
	config.At
	Status  int             `yaml:"status" range:"200..599" doc:"status to send; default: the refusal's own"`
	Headers map[string]Text `yaml:"headers" doc:"headers to set; values may hold $context.NAME, $stageVariables.NAME and $method.request.header.NAME"`
	Bodies  Bodies          `yaml:"bodies" doc:"bodies by media type, the default first: the client's Accept chooses; they may hold the same variables"`
}

// Text is a text with variables in it.
type Text struct {
	Value string
	At    config.Pos
}

// UnmarshalConfig reads the text.
func (t *Text) UnmarshalConfig(n *config.Node) {
	text, ok := n.Template()
	if !ok && n.Kind() != config.Scalar {
		n.Errorf("this is one text")
	}
	t.Value, t.At = text, n.Pos()
}

// ConfigSchema implements config.Schemer.
func (Text) ConfigSchema() *config.Schema { return config.SchemaOf("") }

// Bodies are a response's bodies in the order of the file.
type Bodies []Body

// Body is a body of one media type.
type Body struct {
	Media string
	Text
}

// UnmarshalConfig reads the bodies.
func (b *Bodies) UnmarshalConfig(n *config.Node) {
	if n.Kind() != config.Map {
		n.Errorf("write bodies by media type: {application/json: '{\"message\": $context.error.messageString}'}")
		return
	}
	n.Each(func(media string, _ config.Pos, value *config.Node) {
		body := Body{Media: media}
		if value.Decode(&body.Text) {
			*b = append(*b, body)
		}
	})
}

// ConfigSchema implements config.Schemer.
func (Bodies) ConfigSchema() *config.Schema {
	return &config.Schema{
		Type: "object", MinProperties: 1, AdditionalProperties: config.SchemaOf(""),
		PropertyNames: &config.Schema{Pattern: "^[^/ ]+/[^/ ]+( *;.*)?$"},
	}
}

// UnmarshalConfig reads the responses by their types' names.
func (c *Config) UnmarshalConfig(n *config.Node) {
	c.Pos = n.Pos()
	if n.Kind() != config.Map {
		n.Errorf("write responses by type: {DEFAULT_4XX: {headers: {x-support: help@shop.test}}}")
		return
	}
	c.Types = make(map[exchange.ResponseType]*Response)
	n.Each(func(name string, _ config.Pos, value *config.Node) {
		kind, ok := exchange.ParseResponseType(name)
		if !ok {
			value.Unknown("type of gateway response", name, exchange.ResponseTypeNames())
			return
		}
		response := &Response{}
		if value.Decode(response) {
			c.Types[kind] = response
		}
	})
}

// ConfigSchema implements config.Schemer.
func (Config) ConfigSchema() *config.Schema {
	s := &config.Schema{Type: "object", AdditionalProperties: false, Properties: make(map[string]*config.Schema)}
	for _, name := range exchange.ResponseTypeNames() {
		kind, _ := exchange.ParseResponseType(name)
		of := *config.SchemaOf(Response{})
		of.Description = "refusals for " + meaning(kind)
		s.Properties[name] = &of
	}
	return s
}

// meaning says what a type is for.
func meaning(kind exchange.ResponseType) string {
	return [exchange.TypesOfResponse]string{
		exchange.AccessDenied:                 "want of scopes, or an address that may not call (403)",
		exchange.APIConfigurationError:        "a mistake of the configuration (500)",
		exchange.AuthorizerConfigurationError: "an authorizer that cannot be asked (500)",
		exchange.AuthorizerFailure:            "an authorizer that has failed (500, 503)",
		exchange.BadRequestBody:               "a body that cannot be read (400)",
		exchange.BadRequestParameters:         "a path or parameters that cannot be read (400)",
		exchange.Default4XX:                   "all that is the client's and that nothing else is said of",
		exchange.Default5XX:                   "all that is the gateway's or the target's and that nothing else is said of",
		exchange.ExpiredToken:                 "a credential whose time is over (401); default: UNAUTHORIZED",
		exchange.IntegrationFailure:           "a target that failed (502, 503)",
		exchange.IntegrationTimeout:           "a target that took too long (504)",
		exchange.InvalidAPIKey:                "an API key that is none (403)",
		exchange.InvalidSignature:             "a signature that is wrong (403)",
		exchange.MissingAuthenticationToken:   "want of a signature, and where RESOURCE_NOT_FOUND says nothing, for what no route takes (403, 404)",
		exchange.QuotaExceeded:                "a quota that is used up (429)",
		exchange.RequestTooLarge:              "a body that is too large (413)",
		exchange.ResourceNotFound:             "what no route takes (404, 405)",
		exchange.Throttled:                    "requests that come too often (429)",
		exchange.Unauthorized:                 "want of a good credential (401)",
		exchange.UnsupportedMediaType:         "a body of a type that is not taken (415)",
		exchange.WAFFiltered:                  "what a web ACL blocks (403)",
	}[kind]
}

// Over returns c with the types that it leaves open taken from base. Either may
// be nil.
func (c *Config) Over(base *Config) *Config {
	if c == nil {
		return base
	}
	if base == nil {
		return c
	}
	merged := *c
	merged.Types = maps.Clone(base.Types)
	maps.Copy(merged.Types, c.Types)
	return &merged
}

// Check implements config.Checker.
func (s *Response) Check(r *config.Report) {
	if s.Status == 0 && len(s.Headers) == 0 && len(s.Bodies) == 0 {
		r.Errorf(s.Pos, "the response says nothing: write status, headers or bodies")
	}
	seen := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		s.checkHeader(name, r)
		key := textproto.CanonicalMIMEHeaderKey(name)
		if seen[key] {
			r.Errorf(s.Headers[name].At, "the header %s is there twice", key)
		}
		seen[key] = true
	}
	for i, b := range s.Bodies {
		if err := b.check(); err != nil {
			r.Errorf(b.At, "%v", err)
		}
		if slices.ContainsFunc(s.Bodies[:i], func(o Body) bool { return strings.EqualFold(o.Media, b.Media) }) {
			r.Errorf(b.At, "%s is there twice", b.Media)
		}
	}
}

// protected are the headers that belong to the connection, the body or the
// gateway.
var protected = [...]string{
	"Connection", "Content-Length", "Content-Type", "Date", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"X-Amzn-Requestid",
}

func (s *Response) checkHeader(name string, r *config.Report) {
	v := s.Headers[name]
	switch {
	case !isToken(name):
		r.Errorf(v.At, "%q is no name of a header", name)
		return
	case strings.EqualFold(name, "content-type"):
		r.Errorf(v.At, "the media type of a body stands before it: bodies: {text/html: ...}")
		return
	case slices.Contains(protected[:], textproto.CanonicalMIMEHeaderKey(name)):
		r.Errorf(v.At, "nothing may change the header %s", name)
		return
	}
	if !isFieldValue([]byte(v.Value)) {
		r.Errorf(v.At, "the value holds a control byte, such as a line's end, or begins or ends with a space")
		return
	}
	if _, err := parse(v.Value); err != nil {
		r.Errorf(v.At, "%v", err)
	}
}

func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// isFieldValue reports what a header can hold (RFC 9110 section 5.5).
func isFieldValue(b []byte) bool {
	for i, c := range b {
		edge := i == 0 || i == len(b)-1
		if c < ' ' && c != '\t' || c == 0x7f || edge && (c == ' ' || c == '\t') {
			return false
		}
	}
	return true
}

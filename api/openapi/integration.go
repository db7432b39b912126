package openapi

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gatehouse/config"
)

// integration is what answers an operation, before its keys are decoded.
type integration struct {
	at       config.Pos
	cannot   string
	unread   string
	address  string
	names    []string
	private  bool
	function string
	payload  string
	role     config.Name
	method   string
	mock     *Mock
	mapping  *Mapping
	keys     *section
}

// integrationKeys are the keys of an integration, with what becomes of them.
func integrationKeys() []string {
	return []string{
		"type", "uri", "httpMethod", "connectionId", "connectionType", "credentials", "contentHandling", "integrationSubtype", "passthroughBehavior",
		"payloadFormatVersion", "requestParameters", "requestTemplates", "responses", "responseParameters", "timeoutInMillis", "cacheKeyParameters",
		"cacheNamespace", "tlsConfig", "responseTransferMode", "integrationTarget",
	}
}

// integration reads what answers an operation; nil where it does not say.
func (r *reader) integration(operation *config.Value, o *operationHead) *integration {
	v := find(operation, amazon+"integration")
	if v == nil {
		return nil
	}
	at := v.Pos
	v, ok := r.resolve(v)
	if !ok || !r.is(v, config.Map, amazon+"integration") {
		return nil
	}
	for _, e := range v.Entries {
		if !slices.Contains(integrationKeys(), e.Key) {
			r.Unknown(e.Pos, "key of an integration", e.Key, integrationKeys())
		}
	}
	i := &integration{at: at, keys: &section{where: o.name()}}
	i.keys.value.Kind, i.keys.value.Pos, i.keys.value.File = config.Map, v.Pos, v.File
	if role := find(v, "credentials"); role != nil && role.Kind == config.Scalar {
		i.role = config.Name{Value: strings.Clone(role.Text), At: role.Pos}
	}
	switch kind := strings.ToLower(r.word(v, "type")); kind {
	case "http_proxy":
		r.proxy(i, v, o)
	case "http":
		r.custom(i, v, o)
	case "mock":
		r.mock(i, v)
	case "aws", "aws_proxy":
		r.function(i, v, kind == "aws_proxy")
	case "":
		r.Errorf(v.Pos, "the type of the integration is missing: http_proxy, http, mock, aws_proxy")
	default:
		r.Unknown(find(v, "type").Pos, "type of an integration", kind, []string{"http_proxy", "http", "mock", "aws_proxy", "aws"})
	}
	return i
}

// operationHead is what an integration must know of its operation.
type operationHead struct {
	method, path string
}

func (o *operationHead) name() string { return o.method + " " + o.path }

// params returns the names of the path's parameters, {proxy+} among them as
// proxy.
func (o *operationHead) params() (names []string, greedy string) {
	for part := range strings.SplitSeq(o.path, "/") {
		if len(part) > 2 && part[0] == '{' && part[len(part)-1] == '}' {
			name := strings.TrimRight(part[1:len(part)-1], "+*")
			names = append(names, name)
			if len(name) < len(part)-2 {
				greedy = name
			}
		}
	}
	return names, greedy
}

// name adds names by which options may know the integration.
func (i *integration) name(names ...string) {
	for _, n := range names {
		if n != "" && !slices.Contains(i.names, n) {
			i.names = append(i.names, n)
		}
	}
}

// function reads an integration with a function or with a service of AWS. An
// integration that hands whole requests over leads to the function of the same
// name here, in the payload format that API Gateway would choose.
func (r *reader) function(i *integration, v *config.Value, proxy bool) {
	uri := r.word(v, "uri")
	i.name(uri)
	function, ok := functionARN(uri)
	if !ok || r.word(v, "integrationSubtype") != "" {
		i.cannot = "integrations with AWS's own services come with a later version: write a target of ours by x-gatehouse-target, or under integrations beside the definition's file what stands for it"
		return
	}
	i.name(function, functionName(function))
	if !proxy {
		i.cannot = "integrations of the type aws make events by templates, which this version cannot: use aws_proxy, write a target of ours by x-gatehouse-target, or under integrations beside the definition's file what stands for it"
		return
	}
	r.timeout(i, v)
	i.function, i.payload = functionName(function), "1.0"
	format := find(v, "payloadFormatVersion")
	switch {
	case format == nil:
	case format.Text == "1.0" || format.Text == "2.0":
		i.payload = format.Text
	default:
		r.Unknown(format.Pos, "payloadFormatVersion", format.Text, []string{"1.0", "2.0"})
	}
}

// functionARN returns the function of a URI such as
// arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations.
func functionARN(uri string) (string, bool) {
	_, after, found := strings.Cut(uri, "/functions/")
	if !found {
		return uri, strings.HasPrefix(uri, "arn:") && strings.Contains(uri, ":lambda:") && strings.Contains(uri, ":function:")
	}
	return strings.TrimSuffix(after, "/invocations"), true
}

func functionName(arn string) string {
	_, after, _ := strings.Cut(arn, ":function:")
	name, _, _ := strings.Cut(after, ":")
	return name
}

// proxy reads an integration with a server.
func (r *reader) proxy(i *integration, v *config.Value, o *operationHead) {
	i.private = r.word(v, "connectionType") == "VPC_LINK"
	if kind := r.word(v, "connectionType"); kind != "" && kind != "VPC_LINK" && kind != "INTERNET" {
		r.Unknown(find(v, "connectionType").Pos, "connectionType", kind, []string{"INTERNET", "VPC_LINK"})
	}
	if m := r.word(v, "httpMethod"); m != "" && m != "ANY" && m != o.method {
		i.method = m
	}
	uri := find(v, "uri")
	if uri == nil {
		r.Errorf(v.Pos, "the uri of the integration is missing")
		return
	}
	r.timeout(i, v)
	r.tls(i, v)
	i.name(r.uriNames(uri.Text)...)
	i.name(r.word(v, "connectionId"))
	m := r.mappings(i, v, o)
	if i.unread != "" {
		return
	}
	if strings.HasPrefix(uri.Text, "arn:") {
		i.private = true // a listener of a load balancer, or a service of Cloud Map
		return
	}
	r.uri(i, uri, o, m)
}

// uriNames returns by which names options may know what a URI leads to.
func (r *reader) uriNames(uri string) []string {
	if strings.HasPrefix(uri, "arn:") {
		return []string{strings.Clone(uri)}
	}
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return nil
	}
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	name, _, _ := strings.Cut(host, ":")
	return []string{scheme + "://" + host, strings.Clone(host), strings.Clone(name)}
}

// uri reads scheme and host into the address, and the path into a rewrite.
func (r *reader) uri(i *integration, v *config.Value, o *operationHead, m *mapped) {
	scheme, rest, ok := strings.Cut(v.Text, "://")
	if !ok || scheme != "http" && scheme != "https" && !strings.HasPrefix(scheme, "${stageVariables.") {
		r.Errorf(v.Pos, "the uri of an integration begins with http:// or https://")
		return
	}
	end := hostEnd(rest)
	i.address = scheme + "://" + strings.Clone(rest[:end])
	path, query, hasQuery := strings.Cut(rest[end:], "?")
	if hasQuery {
		i.unread = fmt.Sprintf("the uri holds a query, ?%s, which this version cannot add: map it where the service reads it", query)
		return
	}
	if path == "" {
		path = "/"
	}
	rewrite, problem := rewritten(path, o, m)
	if problem != "" {
		r.Errorf(v.Pos, "%s", problem)
		return
	}
	i.keys.set("rewrite", v.Pos, template(v, rewrite))
}

// hostEnd returns where the host of a URI ends: at its path or query, which may
// stand in a stage variable as well, with the host.
func hostEnd(s string) int {
	if end := strings.IndexAny(s, "/?"); end >= 0 {
		return end
	}
	return len(s)
}

// rewritten returns a path of an integration as a rewrite has it: its
// parameters under the names of the operation's path.
func rewritten(path string, o *operationHead, m *mapped) (string, string) {
	names, greedy := o.params()
	var b strings.Builder
	for rest := path; rest != ""; {
		at := strings.IndexByte(rest, '{')
		if at < 0 {
			b.WriteString(rest)
			break
		}
		end := strings.IndexByte(rest, '}')
		if end < at {
			return "", fmt.Sprintf("a { without its } in %q", path)
		}
		if at > 0 && rest[at-1] == '$' { // ${stageVariables.NAME}
			b.WriteString(rest[:end+1])
			rest = rest[end+1:]
			continue
		}
		b.WriteString(rest[:at])
		name := strings.TrimRight(rest[at+1:end], "+*")
		rest = rest[end+1:]
		switch value, said := m.path[name]; {
		case said && value.literal:
			b.WriteString(value.text)
			continue
		case said:
			name = value.text
		}
		if !slices.Contains(names, name) {
			return "", fmt.Sprintf("the uri names {%s}, which the path %s does not have: map it by requestParameters", name, o.path)
		}
		b.WriteString("{" + name + "}")
	}
	out := b.String()
	if greedy != "" && strings.HasSuffix(out, "/") && strings.HasSuffix(path, "}/") {
		out = strings.TrimSuffix(out, "/")
	}
	return out, ""
}

// timeout reads how long the integration may take.
func (r *reader) timeout(i *integration, v *config.Value) {
	t := find(v, "timeoutInMillis")
	if t == nil {
		return
	}
	if n, err := strconv.Atoi(t.Text); err != nil || n < 1 {
		r.Errorf(t.Pos, "timeoutInMillis is a number of milliseconds")
		return
	}
	i.keys.set("timeout", t.Pos, text(t, t.Text+"ms"))
}

// tls reads how the server is known. That its certificate is not looked at
// cannot be said here.
func (r *reader) tls(i *integration, v *config.Value) {
	c := find(v, "tlsConfig")
	if c == nil {
		return
	}
	if r.flag(c, "insecureSkipVerification") {
		i.cannot = "insecureSkipVerification leaves open who answers: name a service with tls: {ca: FILE} under integrations beside the definition's file"
	}
	if name := r.word(c, "serverNameToVerify"); name != "" {
		i.cannot = fmt.Sprintf("serverNameToVerify is said by a service here: name one with tls: {server-name: %s} under integrations beside the definition's file", name)
	}
}

// Place returns what stands for the integration: what options name for one of
// its names, or its own address, with the stage's variables in their places.
// Why is what keeps it from standing for anything, and the cure.
func (i *Integration[K]) Place(options *Options, variables map[string]string) (target config.Name, why string) {
	if i.Unread != "" {
		return config.Name{}, i.Unread
	}
	for _, n := range i.Names {
		name, problem := expand(n, variables)
		if problem != "" {
			return config.Name{}, problem
		}
		if to, said := options.Integrations[Key(name)]; said {
			return to, ""
		}
	}
	if i.Cannot != "" {
		return config.Name{}, i.Cannot
	}
	if i.Function != "" {
		name, problem := expand(i.Function, variables)
		return config.Name{Value: "function:" + name, At: i.At}, problem
	}
	if i.Private {
		return config.Name{}, fmt.Sprintf("the integration lies behind a VPC link: name the service that stands for it beside the definition's file, integrations: {%q: service:NAME}", i.Names[len(i.Names)-1])
	}
	address, problem := expand(i.Address, variables)
	return config.Name{Value: address, At: i.At}, problem
}

// Role returns the ARN of whom requests are signed for, with the stage's variables
// in their places; "" for nobody. Why is what keeps it from being one.
func (i *Integration[K]) Role(variables map[string]string) (role config.Name, why string) {
	text, why := expand(i.Credentials.Value, variables)
	return config.Name{Value: text, At: i.Credentials.At}, why
}

// expand puts the stage's variables into a text.
func expand(text string, variables map[string]string) (string, string) {
	const begin = "${stageVariables."
	for from := 0; ; {
		at := strings.Index(text[from:], begin)
		if at < 0 {
			return text, ""
		}
		at += from
		name, after, closed := strings.Cut(text[at+len(begin):], "}")
		value, known := variables[name]
		switch {
		case !closed:
			return "", "a ${ without its }"
		case !known:
			return "", fmt.Sprintf("the stage has no variable %q: write it under stages.NAME.variables", name)
		case !isVariable(value):
			return "", fmt.Sprintf("the stage variable %s holds what no address can: letters, digits and -._~:/?#&=, are possible", name)
		}
		text, from = text[:at]+value+after, at+len(value)
	}
}

// isVariable reports whether a stage variable holds only what AWS lets it hold.
func isVariable(s string) bool {
	return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#&=,") == ""
}

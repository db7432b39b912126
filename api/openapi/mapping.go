package openapi

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/config"
)

// mapped is what requestParameters say of the path.
type mapped struct{ path map[string]source }

// source is where a mapped value comes from: literal text, or a parameter of
// the operation's path.
type source struct {
	literal bool
	text    string
}

// mappings reads requestParameters and responseParameters: of the path into m,
// of headers into the keys of i. What an HTTP API writes as overwrite:header.NAME
// a REST API writes as integration.request.header.NAME.
func (r *reader) mappings(i *integration, v *config.Value, o *operationHead) *mapped {
	m := &mapped{path: make(map[string]source)}
	if all := find(v, "requestParameters"); all != nil && r.is(all, config.Map, "requestParameters") {
		for _, e := range all.Entries {
			r.requestMapping(i, m, e, o)
		}
	}
	if all := find(v, "responseParameters"); all != nil && r.is(all, config.Map, "responseParameters") {
		for _, status := range all.Entries {
			r.responseMapping(i, status)
		}
	}
	return m
}

func (r *reader) requestMapping(i *integration, m *mapped, e config.Entry, o *operationHead) {
	if to, rest := strings.CutPrefix(e.Key, "integration.request."); rest {
		part, name, _ := strings.Cut(to, ".")
		r.restMapping(i, m, e, o, part, name)
		return
	}
	change, to, _ := strings.Cut(e.Key, ":")
	part, name, _ := strings.Cut(to, ".")
	switch {
	case part == "header" && name != "" && slices.Contains([]string{"append", "overwrite", "remove"}, change):
		r.headerMapping(i, e, o, "request", change, name)
	case e.Key == "overwrite:path":
		r.pathMapping(i, e, o)
	case part == "querystring":
		i.unread = fmt.Sprintf("requestParameters change the query, %s, which this version does not: let the service read what clients send", e.Key)
	case slices.Contains([]string{"integrationtype", "integrationSubtype"}, e.Key):
	default:
		r.Errorf(e.Pos, "%q is no mapping of a request: append:header.NAME, overwrite:header.NAME, remove:header.NAME, overwrite:path or integration.request.PART.NAME", e.Key)
	}
}

// restMapping reads integration.request.PART.NAME.
func (r *reader) restMapping(i *integration, m *mapped, e config.Entry, o *operationHead, part, name string) {
	from := e.Value.Text
	switch {
	case name == "" || e.Value.Kind != config.Scalar:
		r.Errorf(e.Pos, "%q is no mapping of a request", e.Key)
	case part == "path":
		literal, isLiteral := literalOf(from)
		param, isParam := strings.CutPrefix(from, "method.request.path.")
		switch {
		case isLiteral:
			m.path[name] = source{true, literal}
		case isParam:
			m.path[name] = source{false, strings.Clone(param)}
		default:
			i.unread = fmt.Sprintf("the path's parameter %s comes from %s: in a path only its own parameters and literals can stand", name, from)
		}
	case part == "header" && i.moveHeader(e, name):
	case i.mapping == nil && from == "method.request."+part+"."+name:
		// A proxy passes it on anyway.
	case part == "header":
		r.headerMapping(i, e, o, "request", "overwrite", name)
	case part == "querystring":
		r.queryMapping(i, e, name)
	default:
		r.Errorf(e.Pos, "%q is no mapping of a request: a part of it is path, querystring or header", e.Key)
	}
}

// pathMapping reads overwrite:path into the rewrite.
func (r *reader) pathMapping(i *integration, e config.Entry, o *operationHead) {
	var b strings.Builder
	for rest := e.Value.Text; rest != ""; {
		before, after, more := strings.Cut(rest, "$request.path.")
		b.WriteString(before)
		if !more {
			break
		}
		n := 0
		for n < len(after) && (after[n] == '_' || after[n] == '-' || after[n] >= '0' && after[n] <= '9' || after[n]|0x20 >= 'a' && after[n]|0x20 <= 'z') {
			n++
		}
		b.WriteString("{" + after[:n] + "}")
		rest = after[n:]
	}
	path := b.String()
	if strings.Contains(path, "$request.") || strings.Contains(path, "$context.") || !strings.HasPrefix(path, "/") {
		i.unread = "overwrite:path says what no rewrite can: a path that begins with /, of literals and $request.path.NAME"
		return
	}
	i.keys.set("rewrite", e.Pos, template(e.Value, path))
}

// headerMapping reads a change of a header into headers.
func (r *reader) headerMapping(i *integration, e config.Entry, o *operationHead, message, change, name string) {
	headers := i.keys.in("headers", e.Pos)
	part := &section{value: *headers}
	list := part.in(message, e.Pos)
	*headers = part.value
	inner := &section{value: *list}
	defer func() { *list = inner.value }()
	if change == "remove" {
		removed := inner.value.Find("remove")
		if removed == nil {
			inner.set("remove", e.Pos, &config.Value{Kind: config.List, Pos: e.Pos, File: e.Value.File})
			removed = inner.value.Find("remove")
		}
		removed.Value.Items = append(removed.Value.Items, text(e.Value, name))
		return
	}
	value, ok := r.valueOf(e.Value.Text, o)
	if !ok {
		i.unread = fmt.Sprintf("%s is mapped from %s, which cannot stand in a header here", e.Key, e.Value.Text)
		return
	}
	key := map[string]string{"append": "add", "overwrite": "set"}[change]
	values := inner.in(key, e.Pos)
	values.Entries = append(values.Entries, entry(name, e.Pos, template(e.Value, value)))
}

// literalOf returns the text between single quotes.
func literalOf(s string) (string, bool) {
	if len(s) < 2 || s[0] != '\'' || s[len(s)-1] != '\'' {
		return "", false
	}
	return s[1 : len(s)-1], true
}

// valueOf returns a mapping's source as a template of ours.
func (r *reader) valueOf(from string, o *operationHead) (string, bool) {
	if s, ok := literalOf(from); ok {
		return strings.ReplaceAll(s, "${", "$${"), true
	}
	name, isContext := strings.CutPrefix(strings.TrimPrefix(from, "$"), "context.")
	if isContext {
		to, known := map[string]string{
			"requestId": "${request.id}", "extendedRequestId": "${request.id}", "identity.sourceIp": "${client.ip}",
			"authorizer.principalId": "${principal.id}", "authorizer.claims.sub": "${principal.subject}", "authorizer.jwt.claims.sub": "${principal.subject}",
		}[name]
		return to, known
	}
	for _, prefix := range []string{"method.request.path.", "$request.path."} {
		if param, ok := strings.CutPrefix(from, prefix); ok {
			names, _ := o.params()
			return "${path." + param + "}", slices.Contains(names, param)
		}
	}
	for _, prefix := range []string{"stageVariables.", "$stageVariables."} {
		if variable, ok := strings.CutPrefix(from, prefix); ok {
			return "${stageVariables." + variable + "}", true
		}
	}
	return from, !strings.ContainsAny(from, "$'") && !strings.HasPrefix(from, "method.") && strings.TrimSpace(from) != "" && !strings.HasPrefix(from, "context.")
}

// responseMapping reads what an HTTP API says of the answers with a status.
func (r *reader) responseMapping(i *integration, status config.Entry) {
	if !r.is(status.Value, config.Map, "responseParameters") {
		return
	}
	i.unread = fmt.Sprintf("responseParameters change answers with the status %s, and headers here are changed whatever the status: say it by x-gatehouse-headers, beside x-gatehouse-target", status.Key)
}

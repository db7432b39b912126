package cedar

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"gatehouse/exchange"
)

// Decision is what policies say about a request.
type Decision struct {
	Allowed bool
	Rule    *exchange.Rule // the policy that decided, or that nothing permits it
	Reason  string         // of a refusal
	Detail  string
}

// question is one request as entities.
type question struct {
	caller   cedar.Entity
	resource cedar.Entity
	action   cedar.Entity
}

// Get implements cedar.EntityGetter. Groups and APIs have nothing of their own.
func (q *question) Get(uid cedar.EntityUID) (cedar.Entity, bool) {
	switch uid {
	case q.caller.UID:
		return q.caller, true
	case q.resource.UID:
		return q.resource, true
	case q.action.UID:
		return q.action, true
	}
	return cedar.Entity{}, false
}

// Decide decides about a request of a caller who is known. Body is its JSON body's
// members; nil for none.
func (p *Policies) Decide(x *exchange.Exchange, secure bool, body types.Value) Decision {
	k := p.routes[x.Route]
	if k == nil {
		return Decision{Rule: p.none, Reason: "not-permitted", Detail: "the policies know no route " + x.Route}
	}
	q := &question{caller: p.callers.of(x.Principal, p.caller), resource: p.resource(x, k.reads), action: k.entity}
	context, ok := contextOf(x, k.reads, secure, body)
	if !ok {
		return Decision{Rule: p.none, Reason: "policy-error", Detail: "the client's address is none"}
	}
	decision, diagnostic := cedar.Authorize(k, q, cedar.Request{Principal: q.caller.UID, Action: q.action.UID, Resource: q.resource.UID, Context: context})
	// Cedar passes over a policy that fails. One that forbids might have forbidden.
	for _, failed := range diagnostic.Errors {
		if one := p.by(failed.PolicyID); one.policy.Effect() == cedar.Forbid {
			return Decision{Rule: one.rule, Reason: "policy-error", Detail: "a policy that forbids cannot be evaluated: " + failed.Message}
		}
	}
	switch {
	case len(diagnostic.Reasons) == 0:
		return Decision{Rule: p.none, Reason: "not-permitted", Detail: "no policy permits " + x.Principal.ID + " " + x.Route}
	case decision == cedar.Allow:
		return Decision{Allowed: true, Rule: p.by(diagnostic.Reasons[0].PolicyID).rule}
	}
	return Decision{Rule: p.by(diagnostic.Reasons[0].PolicyID).rule, Reason: "forbidden", Detail: "the policy forbids " + x.Principal.ID + " " + x.Route}
}

func (p *Policies) by(id cedar.PolicyID) *policy {
	for i := range p.list {
		if p.list[i].id == id {
			return &p.list[i]
		}
	}
	return &p.list[0]
}

// caller is who calls. Claims of another type than the configuration says are left
// out.
func (p *Policies) caller(who *exchange.Principal) cedar.Entity {
	scopes := make([]types.Value, len(who.Scopes))
	for i, s := range who.Scopes {
		scopes[i] = types.String(s)
	}
	var groups []cedar.EntityUID
	if p.config.Groups != "" {
		for _, name := range textsOf(who.Claims[p.config.Groups]) {
			groups = append(groups, cedar.NewEntityUID("Group", types.String(name)))
		}
	}
	return cedar.Entity{
		UID: cedar.NewEntityUID("Caller", types.String(who.ID)), Parents: cedar.NewEntityUIDSet(groups...),
		Attributes: types.NewRecord(types.RecordMap{
			"kind": types.String(who.Kind), "issuer": types.String(who.Issuer), "subject": types.String(who.Subject), "scopes": types.NewSet(scopes...),
			"claims": types.NewRecord(membersOf(p.config.Claims, who.Claims)),
		}),
	}
}

// resource is what is called, with what is read of it.
func (p *Policies) resource(x *exchange.Exchange, read reads) cedar.Entity {
	path := "/"
	if x.Skip < len(x.Path.Segments) {
		path += strings.Join(x.Path.Segments[x.Skip:], "/")
	}
	e := cedar.Entity{UID: cedar.NewEntityUID("Resource", types.String(path)), Parents: p.api}
	if read&readResource == 0 {
		return e
	}
	attributes := make(types.RecordMap, 3)
	if read&readAPI != 0 {
		attributes["api"] = types.String(x.API)
	}
	if read&readStage != 0 {
		attributes["stage"] = types.String(x.Stage)
	}
	if read&readPath != 0 {
		attributes["path"] = types.String(path)
	}
	e.Attributes = types.NewRecord(attributes)
	return e
}

// contextOf is what else is read of a request, and reports whether that could be
// told.
func contextOf(x *exchange.Exchange, read reads, secure bool, body types.Value) (types.Record, bool) {
	if read&readContext == 0 {
		return types.Record{}, true
	}
	context := make(types.RecordMap, 7)
	if read&readParameters != 0 {
		context["parameters"] = paramsOf(x)
	}
	if read&readMethod != 0 {
		context["method"] = types.String(x.Method)
	}
	if read&readHost != 0 {
		context["host"] = types.String(x.Host)
	}
	if read&readSource != 0 {
		source, err := types.ParseIPAddr(x.Client.String())
		if err != nil {
			return types.Record{}, false
		}
		context["source"] = source
	}
	if read&readSecure != 0 {
		context["secure"] = types.Boolean(secure)
	}
	if read&readTime != 0 {
		context["time"] = types.NewDatetime(x.Start)
	}
	if read&readBody != 0 && body != nil {
		context["body"] = body
	}
	return types.NewRecord(context), true
}

func paramsOf(x *exchange.Exchange) types.Record {
	m := make(types.RecordMap, len(x.Params))
	for _, param := range x.Params {
		m[types.String(param.Name)] = types.String(strings.Clone(param.Value))
	}
	return types.NewRecord(m)
}

// membersOf returns those of values that have the types that are said of them.
func membersOf(said map[string]Type, values map[string]any) types.RecordMap {
	m := make(types.RecordMap, len(said))
	for name, t := range said {
		if v := valueOf(t, values[name]); v != nil {
			m[types.String(name)] = v
		}
	}
	return m
}

// valueOf returns a value of a type; nil for one of another.
func valueOf(t Type, v any) types.Value {
	switch v := v.(type) {
	case string:
		if t == "string" {
			return types.String(v)
		}
	case bool:
		if t == "bool" {
			return types.Boolean(v)
		}
	case json.Number:
		if n, err := v.Int64(); t == "long" && err == nil {
			return types.Long(n)
		}
	case []any:
		if t != "set" {
			return nil
		}
		texts := textsOf(v)
		if len(texts) != len(v) {
			return nil
		}
		all := make([]types.Value, len(texts))
		for i, text := range texts {
			all[i] = types.String(text)
		}
		return types.NewSet(all...)
	}
	return nil
}

// textsOf returns the texts of a list, or the one that stands in its place.
func textsOf(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, one := range v {
			if text, ok := one.(string); ok {
				out = append(out, text)
			}
		}
	}
	return out
}

var errTwice = errors.New("a member of the body is there twice: servers would read different ones")

// readBody reads a body that is one JSON object; nil for any other.
func (p *Policies) readBody(body []byte) (types.Value, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, nil
	}
	members := make(map[string]any)
	folded := make(map[string]bool)
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, nil
		}
		name := key.(string)
		if folded[strings.ToLower(name)] {
			return nil, errTwice
		}
		folded[strings.ToLower(name)] = true
		var v any
		if err := d.Decode(&v); err != nil {
			return nil, nil
		}
		members[name] = v
	}
	if _, err := d.Token(); err != nil {
		return nil, nil
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, nil
	}
	return types.NewRecord(membersOf(p.config.Body, members)), nil
}

// isJSON reports a body that services read as JSON, as it is.
func isJSON(h http.Header) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	return (kind == "application/json" || strings.HasSuffix(kind, "+json")) && h.Get("Content-Encoding") == ""
}

// DecideBody is Decide for a body whose members have been read.
func (p *Policies) DecideBody(x *exchange.Exchange, secure bool, members map[string]any) Decision {
	if len(members) == 0 || len(p.config.Body) == 0 {
		return p.Decide(x, secure, nil)
	}
	return p.Decide(x, secure, types.NewRecord(membersOf(p.config.Body, members)))
}

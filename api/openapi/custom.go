package openapi

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gatehouse/config"
)

// Mapping is how an integration of the type http makes requests and answers
// anew: what it does not name does not pass.
type Mapping struct {
	Types   []string // media types of the bodies that are passed on; nil for all
	Query   []Moved
	Header  []Moved  // of the request, beside what the keys say under headers
	Answers []Answer // the first that fits; the last fits every status
}

// Moved is a parameter of the query, or a header: the values of From, or Text
// where From is "".
type Moved struct{ Name, From, Text string }

// Answer is what becomes of answers whose status fits a pattern.
type Answer struct {
	Pattern string // as regexp has it; "" for every status
	Status  int
	Header  []Moved
}

// custom reads an integration of the type http.
func (r *reader) custom(i *integration, v *config.Value, o *operationHead) {
	i.mapping = &Mapping{}
	r.proxy(i, v, o)
	if i.unread == "" {
		r.passthrough(i, v)
	}
	if i.unread == "" {
		r.answers(i, v)
	}
}

// asItIs are the templates that pass a body on as it came.
var asItIs = regexp.MustCompile(`^\s*(\$input\.body|\$input\.json\(\s*(['"])\$(['"])\s*\))\s*$`)

// passthrough reads which bodies are passed on.
func (r *reader) passthrough(i *integration, v *config.Value) {
	templates := find(v, "requestTemplates")
	if templates != nil && r.is(templates, config.Map, "requestTemplates") {
		for _, e := range templates.Entries {
			if e.Value.Kind != config.Null && !asItIs.MatchString(e.Value.Text) {
				i.unread = "the request's template for " + e.Key + " is more than $input.body: mapping templates (VTL) are not read. Write a target of ours by x-gatehouse-target"
				return
			}
			i.mapping.Types = append(i.mapping.Types, strings.ToLower(e.Key))
		}
	}
	switch behavior := strings.ToLower(r.word(v, "passthroughBehavior")); {
	case behavior == "" || behavior == "when_no_match" || behavior == "when_no_templates" && len(i.mapping.Types) == 0:
		i.mapping.Types = nil
	case behavior == "never" && len(i.mapping.Types) == 0:
		i.unread = "passthroughBehavior: never takes no request without a template: write when_no_match"
	case behavior != "never" && behavior != "when_no_templates":
		r.Unknown(find(v, "passthroughBehavior").Pos, "passthroughBehavior", behavior, []string{"when_no_match", "when_no_templates", "never"})
	}
	if r.word(v, "contentHandling") != "" {
		i.unread = "contentHandling changes bodies, which this version does not: leave it out, or write a target of ours by x-gatehouse-target"
	}
}

// queryMapping reads integration.request.querystring.NAME.
func (r *reader) queryMapping(i *integration, e config.Entry, name string) {
	if i.mapping == nil {
		i.unread = fmt.Sprintf("requestParameters change the query, %s, which a http_proxy here does not: let the service read what clients send, or write http", e.Key)
		return
	}
	for _, prefix := range []string{"method.request.querystring.", "method.request.multivaluequerystring."} {
		if from, ok := strings.CutPrefix(e.Value.Text, prefix); ok && from != "" {
			i.mapping.Query = append(i.mapping.Query, Moved{Name: strings.Clone(name), From: strings.Clone(from)})
			return
		}
	}
	if literal, ok := literalOf(e.Value.Text); ok {
		i.mapping.Query = append(i.mapping.Query, Moved{Name: strings.Clone(name), Text: strings.Clone(literal)})
		return
	}
	i.unread = fmt.Sprintf("%s is mapped from %s: in a query only its own parameters and literals can stand", e.Key, e.Value.Text)
}

// moveHeader reads integration.request.header.NAME where it comes from a header;
// false for what comes from elsewhere.
func (i *integration) moveHeader(e config.Entry, name string) bool {
	if i.mapping == nil {
		return false
	}
	for _, prefix := range []string{"method.request.header.", "method.request.multivalueheader."} {
		if from, ok := strings.CutPrefix(e.Value.Text, prefix); ok && isField(from, "") && isField(name, "") && !frames(name) {
			i.mapping.Header = append(i.mapping.Header, Moved{Name: strings.Clone(name), From: strings.Clone(from)})
			return true
		}
	}
	return false
}

// answers reads responses.
func (r *reader) answers(i *integration, v *config.Value) {
	responses := find(v, "responses")
	if responses == nil || responses.Find("default") == nil {
		r.Errorf(v.Pos, "nothing says what becomes of answers that no pattern fits: write responses: {default: {statusCode: 200}}")
		return
	}
	var last Answer
	for _, e := range responses.Entries {
		a, ok := r.answer(i, e)
		switch {
		case !ok:
			return
		case e.Key == "default":
			last = a
		default:
			i.mapping.Answers = append(i.mapping.Answers, a)
		}
	}
	i.mapping.Answers = append(i.mapping.Answers, last)
}

func (r *reader) answer(i *integration, e config.Entry) (a Answer, ok bool) {
	if !r.is(e.Value, config.Map, "responses") {
		return a, false
	}
	if e.Key != "default" {
		a.Pattern = "^(?:" + e.Key + ")$"
		if _, err := regexp.Compile(a.Pattern); err != nil {
			r.Errorf(e.Pos, "%q is no pattern of statuses: %v", e.Key, err)
			return a, false
		}
	}
	status, err := strconv.Atoi(r.word(e.Value, "statusCode"))
	if err != nil || status < 200 || status > 599 {
		r.Errorf(e.Pos, "statusCode is a number from 200 to 599")
		return a, false
	}
	a.Status = status
	return a, r.answerHeader(i, e.Value, &a) && r.answerBody(i, e.Value)
}

func (r *reader) answerHeader(i *integration, v *config.Value, a *Answer) bool {
	headers := find(v, "responseParameters")
	if headers == nil {
		return true
	}
	if !r.is(headers, config.Map, "responseParameters") {
		return false
	}
	for _, h := range headers.Entries {
		name, isHeader := strings.CutPrefix(h.Key, "method.response.header.")
		moved := Moved{Name: strings.Clone(name)}
		literal, isLiteral := literalOf(h.Value.Text)
		_, from, _ := strings.Cut(h.Value.Text, "header.")
		switch {
		case !isHeader || !isField(name, ""):
			r.Errorf(h.Pos, "%q is no header of an answer: method.response.header.NAME", h.Key)
			return false
		case isLiteral && isField(name, literal):
			moved.Text = strings.Clone(literal)
		case (h.Value.Text == "integration.response.header."+from || h.Value.Text == "integration.response.multivalueheader."+from) && isField(from, ""):
			moved.From = strings.Clone(from)
		default:
			i.unread = fmt.Sprintf("%s is mapped from %s: headers of answers come from literals and integration.response.header.NAME", h.Key, h.Value.Text)
			return false
		}
		if frames(name) && !strings.EqualFold(name, moved.From) {
			r.Errorf(h.Pos, "%s frames the message: it cannot be mapped", name)
			return false
		}
		a.Header = append(a.Header, moved)
	}
	return true
}

// frames reports whether a header belongs to the connection, or says where the
// message ends.
func frames(name string) bool {
	return slices.Contains([]string{
		"connection", "content-length", "expect", "host", "http2-settings", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
		"te", "trailer", "transfer-encoding", "upgrade", "x-amzn-requestid",
	}, strings.ToLower(name))
}

func (r *reader) answerBody(i *integration, v *config.Value) bool {
	if r.word(v, "contentHandling") != "" {
		i.unread = "contentHandling changes bodies, which this version does not: leave it out, or write a target of ours by x-gatehouse-target"
		return false
	}
	templates := find(v, "responseTemplates")
	if templates == nil {
		return true
	}
	for _, t := range templates.Entries {
		if t.Value.Kind != config.Null && !asItIs.MatchString(t.Value.Text) {
			i.unread = "the response's template for " + t.Key + " is more than $input.body: mapping templates (VTL) are not read. Write a target of ours by x-gatehouse-target"
			return false
		}
	}
	return true
}

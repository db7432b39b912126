package openapi

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"gatehouse/config"
)

// mock reads an integration that answers by itself. The request's template
// says by which status an answer is looked for, as
//
//	{"statusCode": 200}
//
// does; the first of responses whose pattern fits is taken, else default.
func (r *reader) mock(i *integration, v *config.Value) {
	status := "200"
	if templates := find(v, "requestTemplates"); templates != nil {
		s, ok := mockStatus(templates)
		if !ok {
			i.unread = "the request's template of a mock says more than {\"statusCode\": NUMBER}: mapping templates (VTL) are not read"
			return
		}
		status = s
	}
	responses := find(v, "responses")
	if responses == nil {
		i.mock = &Mock{Status: 200}
		return
	}
	e := mockResponse(responses, status)
	if e == nil {
		r.Errorf(responses.Pos, "no response of the mock fits the status %s, and there is no default", status)
		return
	}
	r.mockAnswer(i, e)
}

// mockStatus returns the status that a mock's template says.
func mockStatus(templates *config.Value) (string, bool) {
	t := preferred(templates)
	if t == nil {
		return "200", true
	}
	var said struct {
		StatusCode json.Number `json:"statusCode"`
	}
	if err := json.Unmarshal([]byte(looseJSON(t.Value.Text)), &said); err != nil || said.StatusCode == "" {
		return "", false
	}
	return said.StatusCode.String(), true
}

// preferred returns the template for JSON, else the first; nil for none.
func preferred(templates *config.Value) *config.Entry {
	if e := templates.Find("application/json"); e != nil || len(templates.Entries) == 0 {
		return e
	}
	return &templates.Entries[0]
}

// looseJSON puts the quotes around statusCode that AWS's own examples leave
// out.
func looseJSON(s string) string {
	return bareStatusCode.ReplaceAllString(s, `"statusCode"`)
}

var bareStatusCode = regexp.MustCompile(`'?"?statusCode"?'?`)

// mockResponse returns the response whose pattern fits a status.
func mockResponse(responses *config.Value, status string) *config.Entry {
	for i := range responses.Entries {
		e := &responses.Entries[i]
		if e.Key == status {
			return e
		}
		if pattern, err := regexp.Compile("^(?:" + e.Key + ")$"); e.Key != "default" && err == nil && pattern.MatchString(status) {
			return e
		}
	}
	return responses.Find("default")
}

// mockAnswer reads a response: its status, literal headers and literal body.
func (r *reader) mockAnswer(i *integration, e *config.Entry) {
	m := &Mock{Status: 200, Header: make(map[string]string)}
	if s := find(e.Value, "statusCode"); s != nil {
		n, err := strconv.Atoi(s.Text)
		if err != nil || n < 200 || n > 599 {
			r.Errorf(s.Pos, "the status of a mock is a number from 200 to 599")
			return
		}
		m.Status = n
	}
	if headers := find(e.Value, "responseParameters"); headers != nil && r.is(headers, config.Map, "responseParameters") {
		for _, h := range headers.Entries {
			name, isHeader := strings.CutPrefix(h.Key, "method.response.header.")
			value, isLiteral := literalOf(h.Value.Text)
			if !isHeader || !isLiteral || !isField(name, value) {
				i.unread = "a mock's headers are literals, method.response.header.NAME: \"'value'\", unlike " + h.Key
				return
			}
			m.Header[name] = strings.Clone(value)
		}
	}
	if templates := find(e.Value, "responseTemplates"); templates != nil && len(templates.Entries) > 0 {
		t := preferred(templates)
		if strings.ContainsAny(t.Value.Text, "$#") {
			i.unread = "the response's template of a mock is more than text: mapping templates (VTL) are not read"
			return
		}
		if m.Body = strings.Clone(t.Value.Text); m.Body != "" {
			m.Header["Content-Type"] = t.Key
		}
	}
	i.mock = m
}

// isField reports whether name and value can stand in a head.
func isField(name, value string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return name != "" && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

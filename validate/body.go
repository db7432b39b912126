package validate

import (
	"fmt"
	"mime"
	"net/http"
	"strings"

	"gatehouse/exchange"
	"gatehouse/validate/jsondoc"
	"gatehouse/validate/schema"
)

// checkBody checks the body, where the operation says what it must be like.
func (v *visit) checkBody() fault {
	if !v.body {
		return fault{}
	}
	if v.x.Body.Declared() == 0 {
		if v.require {
			return bodyFault("the body is missing")
		}
		return fault{}
	}
	t, wrong := v.contentType()
	if wrong.status != 0 || t == nil {
		return wrong
	}
	if !t.json && !t.form {
		return fault{} // a type that is not looked into
	}
	if coding := v.r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return fault{status: http.StatusUnsupportedMediaType, kind: exchange.UnsupportedMediaType, reason: "media-type", detail: "a body in a content coding, which cannot be checked"}
	}
	body, err := v.x.Body.All(v.limit)
	switch {
	case err != nil:
		return fault{body: err}
	case len(body) == 0 && v.require:
		return bodyFault("the body is missing")
	case len(body) == 0:
		return fault{}
	case t.form:
		return v.form(t, body)
	}
	return v.json(t, body)
}

func bodyFault(detail string) fault {
	return fault{status: http.StatusBadRequest, kind: exchange.BadRequestBody, reason: "body", message: badBody, detail: detail}
}

// contentType returns what the operation says of the body's media type; nil
// where it says nothing of any. A body without a type counts as JSON, as with API
// Gateway.
func (v *visit) contentType() (*content, fault) {
	if len(v.types) == 0 {
		return nil, fault{}
	}
	kind := "application/json"
	switch fields := v.r.Header["Content-Type"]; {
	case len(fields) > 1:
		return nil, fault{status: http.StatusUnsupportedMediaType, kind: exchange.UnsupportedMediaType, reason: "media-type", detail: "more than one Content-Type"}
	case len(fields) == 1:
		kind = mediaType(fields[0])
	}
	for _, t := range v.types {
		if matches(t.kind, kind) {
			return t, fault{}
		}
	}
	return nil, fault{status: http.StatusUnsupportedMediaType, kind: exchange.UnsupportedMediaType, reason: "media-type", detail: "the body's media type is none that the operation takes"}
}

// mediaType returns a media type in small letters, without parameters; "" for
// what is none, or for JSON that says it were written in anything but UTF-8.
func mediaType(field string) string {
	plain := field
	if strings.IndexByte(field, ';') >= 0 {
		kind, parameters, err := mime.ParseMediaType(field)
		if err != nil {
			return ""
		}
		if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") && isJSON(kind) {
			return ""
		}
		return kind
	}
	return strings.ToLower(strings.Trim(plain, " \t"))
}

// matches reports whether a media type is one that a range stands for.
func matches(wanted, kind string) bool {
	if wanted == kind || wanted == "*/*" && kind != "" {
		return true
	}
	prefix, ok := strings.CutSuffix(wanted, "/*")
	return ok && strings.HasPrefix(kind, prefix+"/")
}

func (v *visit) json(t *content, body []byte) fault {
	if err := v.doc.Parse(body, v.limits); err != nil {
		return bodyFault(fmt.Sprintf("no JSON that is taken, at byte %d: %s", err.Offset, err.What))
	}
	if wrong := v.fits(t.schema, 0); wrong != "" {
		return bodyFault(wrong)
	}
	return fault{}
}

// form checks the fields of a form as members of an object.
func (v *visit) form(t *content, body []byte) fault {
	if wrong := v.split(string(body)); wrong != "" {
		return bodyFault(wrong)
	}
	v.doc.Reset()
	object := v.doc.Add(jsondoc.Object, "", 0)
	count := 0
	seen := make(map[string]bool, len(v.pairs))
	for _, q := range v.pairs {
		if seen[q.name] {
			continue
		}
		seen[q.name] = true
		n, problem := v.field(q.name, t.schema)
		if problem != "" {
			return bodyFault(problem)
		}
		count += n
	}
	v.doc.End(object, count)
	if wrong := v.fits(t.schema, object); wrong != "" {
		return bodyFault(wrong)
	}
	return fault{}
}

// field adds one field of a form.
func (v *visit) field(name string, s *schema.Schema) (int, string) {
	n, problem := v.member(name, name, s)
	if problem != "" {
		return 0, "a field of the form " + problem
	}
	return n, ""
}

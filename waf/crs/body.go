package crs

import (
	"net/http"
	"strings"

	"gatehouse/exchange"
	"gatehouse/waf/crs/inspect"
)

// Limits say how much of a request's body is inspected.
type Limits struct {
	Body   int  // bytes
	Beyond bool // what is beyond passes unseen; else such a request is blocked
	Unseen bool // gRPC calls, whose bodies cannot be awaited, pass unseen; else they are blocked
}

// refused is why a request is not inspected at all.
type refused struct {
	exchange.Refusal
	why string
}

// sight is a body as it was read.
type sight struct {
	inspect.Body
	unseen bool // it is a stream, of which nothing was read
}

// read reads the body of a request for the inspection.
func (s *Set) read(x *exchange.Exchange, r *http.Request) (out sight, no *refused) {
	types := r.Header["Content-Type"]
	if len(types) > 0 {
		out.Kind = kindOf(types[0])
	}
	switch {
	case r.Method == http.MethodConnect || len(r.Header["Upgrade"]) > 0:
		return out, nil // frames follow, no body
	case streams(x, r) && !s.limits.Unseen:
		return out, &refused{exchange.Refusal{Status: http.StatusForbidden, Rule: s.rule, Kind: exchange.WAFFiltered, Reason: "waf-body-unseen", Detail: "the body of a gRPC call cannot be awaited"}, "body-unseen"}
	case streams(x, r):
		out.unseen = true
		return out, nil
	}
	if x.Body.Declared() > int64(s.limits.Body) && !s.limits.Beyond {
		out.Cut = true // to be refused, without waiting for it
		return out, nil
	}
	data, err := x.Body.Peek(s.limits.Body + 1)
	if err != nil {
		return out, &refused{exchange.BodyRefusal(s.rule, err), "body"}
	}
	if len(data) == 0 {
		return out, nil
	}
	if out.Cut = len(data) > s.limits.Body; out.Cut {
		data = data[:s.limits.Body]
	}
	if no := s.plain(&out.Body, data, codings(r.Header["Content-Encoding"])); no != nil {
		return out, no
	}
	if out.Kind == inspect.None {
		out.Kind = inspect.Other
	}
	s.take(&out.Body, types)
	return out, nil
}

// plain sets the body's data without its content coding.
func (s *Set) plain(b *inspect.Body, data []byte, coding []string) *refused {
	if len(coding) == 0 {
		b.Data = data
		return nil
	}
	if s.config.Compressed != "inflate" || len(coding) > 1 {
		return s.unsupported("a body in a content coding is not inspected")
	}
	plain, more, err := inflate(data, coding[0], s.limits.Body, b.Cut)
	switch err {
	case nil:
	case errCoding:
		return s.unsupported(err.Error())
	default:
		b.Fault = err.Error()
	}
	b.Data, b.Cut = plain, b.Cut || more
	return nil
}

func (s *Set) unsupported(detail string) *refused {
	return &refused{exchange.Refusal{Status: http.StatusUnsupportedMediaType, Rule: s.rule, Reason: "waf-compressed", Detail: detail,
		Header: http.Header{"Accept-Encoding": {"identity"}}}, "compressed"}
}

// take takes the body apart, and notes what readers of it could differ about.
func (s *Set) take(b *inspect.Body, types []string) {
	if len(types) > 1 {
		b.Fault = "there are several Content-Type fields"
	}
	switch b.Kind {
	case inspect.Multipart:
		split(b, types[0])
	case inspect.XML:
		if hasDoctype(b.Data) {
			b.Fault = "the XML document declares a type"
		}
	}
	b.Also = otherwise(b)
}

// kindOf returns how a body of a media type is read.
func kindOf(contentType string) inspect.Kind {
	t, _, _ := strings.Cut(contentType, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	switch {
	case t == "":
		return inspect.None
	case strings.HasPrefix(t, "application/x-www-form-urlencoded"):
		return inspect.Form
	case strings.HasPrefix(t, "multipart/"):
		return inspect.Multipart
	case strings.HasPrefix(t, "application/json"), strings.HasSuffix(t, "/json"), strings.HasSuffix(t, "+json"):
		return inspect.JSON
	case strings.HasSuffix(t, "/xml"), strings.HasSuffix(t, "+xml"), strings.HasPrefix(t, "application/soap+xml"):
		return inspect.XML
	}
	return inspect.Other
}

// streams reports whether the client may wait for an answer before it sends more
// of its body: whoever waits for the body then waits for ever.
func streams(x *exchange.Exchange, r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") && r.ProtoMajor > 1 && x.Body.Declared() < 0
}

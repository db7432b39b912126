package exchange

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Refusal is an answer of the gateway's own to a request that it does not
// serve. What the client sees is Status, Type, Message and Header; the rest is
// for log, metrics and trail.
type Refusal struct {
	Status  int
	Type    string        // x-amzn-errortype; "" for the usual one of Status
	Kind    ResponseType  // by which an API's own forms go; 0 for the usual one of Status
	Message string        // "" for the usual one of Status
	GRPC    int           // grpc-status for a gRPC call; 0 for what Status maps to
	Rule    *Rule         // who refuses, and by which line; never nil
	Reason  string        // in one or two words, one of few: the metrics' label
	Detail  string        // what was found; for log and trail, never a credential
	Retry   time.Duration // Retry-After, rounded up to seconds; 0 for none
	Header  http.Header   // further headers; may be nil
	Page    *Page         // the body, where the rule has one of its own; nil for the API's form or the usual one
}

// Page is the body of a refusal that goes before every other form of it, but those
// of gRPC. It is shared, never written to.
type Page struct {
	Type string // its media type
	Body string
}

// usual are the messages and error types that API Gateway's clients expect.
var usual = map[int][2]string{
	http.StatusBadRequest:                  {"Bad Request", "BadRequestException"},
	http.StatusUnauthorized:                {"Unauthorized", "UnauthorizedException"},
	http.StatusForbidden:                   {"Forbidden", "ForbiddenException"},
	http.StatusNotFound:                    {"Not Found", "NotFoundException"},
	http.StatusMethodNotAllowed:            {"Method Not Allowed", "MethodNotAllowedException"},
	http.StatusRequestTimeout:              {"Request Timeout", "RequestTimeoutException"},
	http.StatusRequestEntityTooLarge:       {"Request Too Long", "RequestTooLargeException"},
	http.StatusUnsupportedMediaType:        {"Unsupported Media Type", "UnsupportedMediaTypeException"},
	http.StatusMisdirectedRequest:          {"Misdirected Request", "MisdirectedRequestException"},
	http.StatusTooManyRequests:             {"Too Many Requests", "TooManyRequestsException"},
	http.StatusRequestHeaderFieldsTooLarge: {"Request Header Fields Too Large", "RequestHeaderFieldsTooLargeException"},
	http.StatusInternalServerError:         {"Internal Server Error", "InternalServerErrorException"},
	http.StatusBadGateway:                  {"Bad Gateway", "BadGatewayException"},
	http.StatusServiceUnavailable:          {"Service Unavailable", "ServiceUnavailableException"},
	http.StatusGatewayTimeout:              {"Gateway Timeout", "GatewayTimeoutException"},
}

func (f *Refusal) fill() {
	u := usual[f.Status]
	if f.Message == "" {
		f.Message = u[0]
	}
	if f.Message == "" {
		f.Message = http.StatusText(f.Status)
	}
	if f.Type == "" {
		f.Type = u[1]
	}
	if f.Kind == Unspecified {
		f.Kind = f.usualType()
	}
}

// Refuse answers a request with a refusal and notes it on the trail. Nobody
// else writes errors of the gateway's own. An answer whose head is still held
// back (Head.Hold) is given up for it. Where the answer has begun the refusal
// can only be noted: Refuse then reports false, and the caller aborts.
func Refuse(w http.ResponseWriter, r *http.Request, f Refusal) bool {
	x := From(r)
	f.fill()
	x.refusal = f
	x.Refused = &x.refusal
	x.Trail.Add(f.Rule, Denied, f.Detail)
	if !x.Writer.restart() {
		return false
	}
	h := w.Header()
	clear(h)
	f.describe(h, x.ID)
	if r.ProtoMajor > 1 {
		delete(h, "Connection") // net/http would end the connection of all other streams for it
	}
	if isGRPC(r) {
		refuseGRPC(w, f)
		return true
	}
	if kind, text := webKind(r); kind != "" {
		refuseWeb(w, f, kind, text)
		return true
	}
	h.Set("Cache-Control", "no-store")
	if f.Page != nil {
		f.Page.write(w, f.Status)
		return true
	}
	status, body := respond(x, r, h)
	if body == nil {
		body = f.text(h)
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
	return true
}

func (p *Page) write(w http.ResponseWriter, status int) {
	h := w.Header()
	h.Set("Content-Type", p.Type)
	h.Set("Content-Length", strconv.Itoa(len(p.Body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, p.Body)
}

// respond returns the status of the refusal, and the body where the API has a
// form of its own for it.
func respond(x *Exchange, r *http.Request, h http.Header) (int, []byte) {
	if x.Responses == nil {
		return x.refusal.Status, nil
	}
	status, body := x.Responses.Respond(x, r, h)
	if body != nil {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	if status == 0 {
		status = x.refusal.Status
	}
	return status, body
}

// describe sets the fields that say who refused what.
func (f *Refusal) describe(h http.Header, id string) {
	for name, values := range f.Header {
		h[name] = slices.Clip(values) // hooks may append; the refusal's may be shared
	}
	h.Set("X-Amzn-Requestid", id)
	if f.Type != "" {
		h.Set("X-Amzn-Errortype", f.Type)
	}
	if f.Retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int((f.Retry+time.Second-1)/time.Second)))
	}
}

// text returns the body and sets the fields that it needs.
func (f *Refusal) text(h http.Header) []byte {
	body, _ := json.Marshal(struct {
		Message string `json:"message"`
	}{f.Message})
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	return body
}

func isGRPC(r *http.Request) bool {
	t := r.Header.Get("Content-Type")
	return t == "application/grpc" || strings.HasPrefix(t, "application/grpc+") || strings.HasPrefix(t, "application/grpc;")
}

// grpcStatus returns the refusal's grpc-status.
func (f *Refusal) grpcStatus() string {
	if f.GRPC != 0 {
		return strconv.Itoa(f.GRPC)
	}
	return strconv.Itoa(GRPCCode(f.Status))
}

// refuseGRPC writes a trailers-only answer: HTTP 200 with the status in the
// head, as gRPC over HTTP/2 defines it.
func refuseGRPC(w http.ResponseWriter, f Refusal) {
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Status", f.grpcStatus())
	h.Set("Grpc-Message", GRPCMessage(f.Message))
	w.WriteHeader(http.StatusOK)
}

// GRPCMessage encodes a message as gRPC over HTTP/2 asks for: all but printable
// ASCII, and "%", in percent encoding.
func GRPCMessage(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= ' ' && c <= '~' && c != '%' {
			b = append(b, c)
			continue
		}
		b = append(b, '%', upperHex[s[i]>>4], upperHex[s[i]&15])
	}
	return string(b)
}

// GRPCCode maps a status as gRPC's "HTTP to gRPC Status Code Mapping" does,
// with the codes that say more where gRPC has them.
func GRPCCode(status int) int {
	switch status {
	case http.StatusBadRequest:
		return 13 // INTERNAL
	case http.StatusUnauthorized:
		return 16 // UNAUTHENTICATED
	case http.StatusForbidden:
		return 7 // PERMISSION_DENIED
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return 12 // UNIMPLEMENTED
	case http.StatusTooManyRequests, http.StatusRequestEntityTooLarge:
		return 8 // RESOURCE_EXHAUSTED
	case http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return 4 // DEADLINE_EXCEEDED
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return 14 // UNAVAILABLE
	}
	return 2 // UNKNOWN
}

// BodyRefusal says how to refuse a request whose body could not be read: 413
// over the limit, 503 over the gateway's budget, 408 where the client was too
// slow, 400 for what cannot be a body, 500 for ErrBodyGone, and as it says
// itself for a BodyFault.
func BodyRefusal(rule *Rule, err error) Refusal {
	f := Refusal{Rule: rule, Detail: err.Error(), Header: http.Header{"Connection": {"close"}}}
	var slow interface{ Timeout() bool }
	var fault *BodyFault
	switch {
	case errors.As(err, &fault):
		f.Status, f.Type, f.Message, f.Reason = fault.Status, fault.Type, fault.Message, fault.Reason
	case errors.Is(err, ErrBodyTooLarge):
		f.Status, f.Reason = http.StatusRequestEntityTooLarge, "body-too-large"
	case errors.Is(err, ErrBodyBudget):
		f.Status, f.Reason, f.Retry = http.StatusServiceUnavailable, "body-budget", time.Second
		f.Kind = Default5XX // it is not the target's
	case errors.Is(err, ErrBodyGone):
		// A filter read the body without buffering it: our mistake.
		f.Status, f.Reason = http.StatusInternalServerError, "body-gone"
	case errors.As(err, &slow) && slow.Timeout():
		f.Status, f.Reason = http.StatusRequestTimeout, "body-timeout"
	case errors.Is(err, io.ErrUnexpectedEOF):
		f.Status, f.Reason, f.Kind = http.StatusBadRequest, "body-cut", BadRequestBody
	default:
		f.Status, f.Reason, f.Kind = http.StatusBadRequest, "body-broken", BadRequestBody
	}
	return f
}

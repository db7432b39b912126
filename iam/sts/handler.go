package sts

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"

	"gatehouse/exchange"
	"gatehouse/iam"
)

// Service is what requests are signed for.
const Service = "sts"

// Signatures says who has signed a request, after reading its body.
type Signatures interface {
	// Caller returns who has signed the request, or why nobody has: AWS's name
	// of the error, what its clients are told, and what was found, for the trail.
	Caller(x *exchange.Exchange, r *http.Request) (who *iam.Caller, f *Fault)
}

// Fault is why a request is refused.
type Fault struct {
	Status  int
	Code    string // AWS's name of the error
	Message string // what clients are told
	Reason  string // in one or two words, one of few
	Detail  string // for the trail; "" for the message
}

// Options are what a Handler needs.
type Options struct {
	Directory  *iam.Directory
	Sealer     *iam.Sealer
	Signatures Signatures
	Rule       *exchange.Rule // that its answers are noted by
}

// Handler answers the calls. It is immutable and safe for concurrent use. The
// requests that it serves have an Exchange.
type Handler struct {
	Options
	rules rules
}

// New returns a Handler.
func New(o Options) *Handler { return &Handler{o, newRules()} }

const (
	version   = "2011-06-15"
	namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	maxBody   = 64 << 10 // bytes of a call
)

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.From(r)
	caller, f := h.Signatures.Caller(x, r)
	if f != nil {
		h.refuse(w, x, f)
		return
	}
	x.Principal = caller.Known
	form, f := h.form(x, r)
	if f != nil {
		h.refuse(w, x, f)
		return
	}
	var answer any
	switch action := form.Get("Action"); {
	case action == "":
		f = &Fault{http.StatusBadRequest, "MissingAction", "Could not find operation in the request.", "action", ""}
	case form.Get("Version") != version:
		f = unknownAction(action, form.Get("Version"))
	case action == "GetCallerIdentity":
		answer = h.callerIdentity(x, caller)
	case action == "AssumeRole":
		answer, f = h.assumeRole(x, caller, form)
	default:
		f = unknownAction(action, version)
	}
	if f != nil {
		h.refuse(w, x, f)
		return
	}
	x.Trail.Add(h.Rule, exchange.Answered, form.Get("Action"))
	write(w, x, http.StatusOK, answer)
}

func unknownAction(action, version string) *Fault {
	return &Fault{http.StatusBadRequest, "InvalidAction", "Could not find operation " + clip(action) + " for version " + clip(version), "action", ""}
}

// form returns the parameters of a call: of the query, and of a form's body.
// None may be there twice.
func (h *Handler) form(x *exchange.Exchange, r *http.Request) (url.Values, *Fault) {
	text := x.Path.Query
	if r.Method == http.MethodPost {
		body, err := x.Body.All(maxBody)
		if err != nil {
			refusal := exchange.BodyRefusal(h.Rule, err)
			return nil, &Fault{refusal.Status, "RequestEntityTooLarge", err.Error(), refusal.Reason, ""}
		}
		text += "&" + string(body)
	}
	form, err := url.ParseQuery(text)
	for name, values := range form {
		if len(values) > 1 {
			return nil, &Fault{http.StatusBadRequest, "MalformedQueryString", "The parameter " + clip(name) + " is there more than once.", "parameter", ""}
		}
	}
	if err != nil {
		return nil, &Fault{http.StatusBadRequest, "MalformedQueryString", "The query string contains a syntax error", "parameter", ""}
	}
	return form, nil
}

// errorAnswer is how AWS tells errors.
type errorAnswer struct {
	XMLName xml.Name `xml:"ErrorResponse"`
	Space   string   `xml:"xmlns,attr"`
	Error   struct {
		Type    string
		Code    string
		Message string
	}
	RequestID string `xml:"RequestId"`
}

// refuse notes on the trail who was refused what, and says so in XML: clients of
// this service read nothing else.
func (h *Handler) refuse(w http.ResponseWriter, x *exchange.Exchange, f *Fault) {
	if f.Detail == "" {
		f.Detail = f.Message
	}
	x.Trail.Add(h.Rule, exchange.Denied, f.Detail)
	x.Refused = &exchange.Refusal{Status: f.Status, Type: f.Code, Message: f.Message, Rule: h.Rule, Reason: f.Reason, Detail: f.Detail}
	answer := errorAnswer{Space: namespace, RequestID: x.ID}
	answer.Error.Type, answer.Error.Code, answer.Error.Message = "Sender", f.Code, f.Message
	write(w, x, f.Status, answer)
}

func write(w http.ResponseWriter, x *exchange.Exchange, status int, answer any) {
	body, err := xml.Marshal(answer)
	if err != nil {
		panic(err) // answers are texts
	}
	h := w.Header()
	h.Set("Content-Type", "text/xml")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Amzn-Requestid", x.ID)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// clip keeps what a client sent short in what it is told.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

type metadata struct {
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

type identityAnswer struct {
	XMLName xml.Name `xml:"GetCallerIdentityResponse"`
	Space   string   `xml:"xmlns,attr"`
	Result  struct {
		Arn     string
		UserID  string `xml:"UserId"`
		Account string
	} `xml:"GetCallerIdentityResult"`
	metadata
}

// callerIdentity answers for anyone with credentials: no policy can deny it.
func (h *Handler) callerIdentity(x *exchange.Exchange, caller *iam.Caller) any {
	answer := identityAnswer{Space: namespace, metadata: metadata{x.ID}}
	answer.Result.Arn, answer.Result.UserID, answer.Result.Account = caller.Name, caller.UserID, caller.Account
	return answer
}

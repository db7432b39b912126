package transform

import (
	"mime"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gatehouse/exchange"
)

// Mapping makes requests and answers anew, as API Gateway's integrations that
// are no proxies do: of query and headers passes what is named, and what
// describes the body, the client and the trace.
type Mapping struct {
	Types   []string // media types of the bodies that pass, in lower case; nil for all
	Query   []Moved
	Header  []Moved
	Answers []Answer // the first that fits
}

// Moved is a parameter of a query, or a header: the values of From, or Text
// where From is "".
type Moved struct{ Name, From, Text string }

// Answer is what becomes of answers whose status fits a pattern.
type Answer struct {
	Pattern string // a regular expression that compiles; "" for every status
	Status  int
	Header  []Moved
}

// kept are headers of a request that pass all the same: they describe the body,
// or are the gateway's own word.
var kept = []string{
	"Accept", "Content-Encoding", "Content-Language", "Content-Length", "Content-Type", "Expect", "Forwarded", "Traceparent", "Tracestate",
	"X-Amzn-Trace-Id", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto",
}

// keptOfAnswers are those of an answer: they describe the body, and how the
// message travels.
var keptOfAnswers = []string{"Connection", "Content-Encoding", "Content-Length", "Content-Type", "Date", "X-Amzn-Requestid"}

// Narrow returns the filter that makes requests anew; nil for nil. What the
// client sent stays in the record.
func Narrow(m *Mapping) func(http.Handler) http.Handler {
	if m == nil {
		return nil
	}
	header := canonical(m.Header)
	rule := &exchange.Rule{Filter: "transform", Name: "mapping"}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x := exchange.From(r)
			if !m.takes(r) {
				exchange.Refuse(w, r, exchange.Refusal{Status: http.StatusUnsupportedMediaType, Rule: rule, Reason: "media-type", Detail: "the integration takes no body of this media type"})
				return
			}
			x.Trail.Add(rule, exchange.Changed, "")
			narrow(r.Header, kept, header)
			clear(r.Trailer)
			x.Path.Ask(query(x.Path.Query, m.Query))
			next.ServeHTTP(w, r)
		})
	}
}

// Answers returns the filter that makes the target's answers anew; nil for nil.
// Refusals pass as they are.
func Answers(m *Mapping) func(http.Handler) http.Handler {
	if m == nil {
		return nil
	}
	type answer struct {
		pattern *regexp.Regexp
		status  int
		header  []Moved
	}
	var answers []answer
	for _, a := range m.Answers {
		compiled := answer{nil, a.Status, canonical(a.Header)}
		if a.Pattern != "" {
			compiled.pattern = regexp.MustCompile(a.Pattern)
		}
		answers = append(answers, compiled)
	}
	hook := func(h *exchange.Head) {
		if h.Exchange.Refused != nil {
			return
		}
		status := strconv.Itoa(h.Status)
		for _, a := range answers {
			if a.pattern == nil || a.pattern.MatchString(status) {
				h.Status = a.status
				narrow(h.Header, keptOfAnswers, a.header)
				return
			}
		}
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			exchange.From(r).OnHead(hook)
			next.ServeHTTP(w, r)
		})
	}
}

func canonical(all []Moved) []Moved {
	out := slices.Clone(all)
	for i := range out {
		out[i].Name, out[i].From = textproto.CanonicalMIMEHeaderKey(out[i].Name), textproto.CanonicalMIMEHeaderKey(out[i].From)
	}
	return out
}

// takes reports whether a request's body passes. One that says nothing of its
// media type counts as JSON, as with API Gateway.
func (m *Mapping) takes(r *http.Request) bool {
	if m.Types == nil {
		return true
	}
	said := r.Header.Get("Content-Type")
	if said == "" {
		said = "application/json"
	}
	t, _, err := mime.ParseMediaType(said)
	return err == nil && slices.Contains(m.Types, t)
}

// narrow leaves of h what is kept, and what is moved.
func narrow(h http.Header, kept []string, moved []Moved) {
	var found [][]string
	for _, m := range moved {
		if m.From == "" {
			found = append(found, []string{m.Text})
		} else {
			found = append(found, h[m.From])
		}
	}
	for name := range h {
		if !slices.Contains(kept, name) {
			delete(h, name)
		}
	}
	for i, m := range moved {
		if len(found[i]) > 0 {
			h[m.Name] = slices.Clip(found[i])
		}
	}
}

// query returns a query of what is moved alone; values keep the encoding that
// they came in.
func query(came string, moved []Moved) string {
	var b strings.Builder
	add := func(name, value string) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(name))
		b.WriteByte('=')
		b.WriteString(value)
	}
	for _, m := range moved {
		if m.From == "" {
			add(m.Name, url.QueryEscape(m.Text))
			continue
		}
		for part := range strings.SplitSeq(came, "&") {
			name, value, _ := strings.Cut(part, "=")
			if decoded, err := url.QueryUnescape(name); err == nil && decoded == m.From {
				add(m.Name, value)
			}
		}
	}
	return b.String()
}

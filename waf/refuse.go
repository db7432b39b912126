package waf

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"gatehouse/exchange"
	"gatehouse/waf/field"
)

// failure is why a request could not be inspected.
type failure struct {
	reason string
	detail string
	body   error // of reading the body
}

// The reasons of failures, as metrics count them.
const (
	reasonBeyond = "body-beyond"
	reasonUnseen = "body-unseen"
	reasonBudget = "budget"
	reasonBody   = "body"
	reasonCoded  = "compressed" // of rule sets
	reasonError  = "error"
)

// failed says what becomes of a request that could not be read.
func (v *visit) failed() (outcome, bool) {
	err := v.Err()
	v.done = nil
	switch {
	case errors.Is(err, field.ErrBeyond):
		v.fails = failure{reason: reasonBeyond, detail: err.Error()}
	case errors.Is(err, field.ErrUnseen):
		v.fails = failure{reason: reasonUnseen, detail: err.Error()}
	default:
		v.fails = failure{reason: reasonBody, body: err}
	}
	v.filter.counts.fail(v.fails.reason)
	return blocked, true
}

// broken says what becomes of a request over which a rule's code has panicked.
func (v *visit) broken(cause any) outcome {
	v.filter.counts.fail(reasonError)
	detail := fmt.Sprintf("a mistake of the gateway's own: %v", cause)
	if v.filter.acl.passes {
		v.X.Trail.Add(v.filter.acl.failure, exchange.Failed, detail)
		return passes
	}
	v.done, v.fails = nil, failure{reason: reasonError, detail: detail}
	return blocked
}

// overspent says what becomes of a request whose inspection took too long. Where
// it is to pass, what was decided until then holds.
func (v *visit) overspent(e *entry) (outcome, bool) {
	v.filter.counts.fail(reasonBudget)
	detail := "the rules up to " + e.name + " took more processor time than the budget"
	if v.filter.acl.passes {
		v.X.Trail.Add(v.filter.acl.failure, exchange.Failed, detail)
		return passes, true
	}
	v.done, v.fails = nil, failure{reason: reasonBudget, detail: detail}
	return blocked, true
}

// block refuses the request.
func (f *filter) block(w http.ResponseWriter, r *http.Request, end *ending) {
	switch {
	case end.entry == nil && end.fails.body != nil:
		exchange.Refuse(w, r, exchange.BodyRefusal(f.acl.failure, end.fails.body))
	case end.entry == nil:
		refusal := exchange.Refusal{Status: http.StatusForbidden, Kind: exchange.WAFFiltered, Rule: f.acl.failure, Reason: "waf-" + end.fails.reason, Detail: end.fails.detail}
		if end.fails.reason == reasonBeyond {
			refusal.Status = http.StatusRequestEntityTooLarge
			refusal.Header = http.Header{"Connection": {"close"}}
		}
		exchange.Refuse(w, r, refusal)
	case end.refuse.Status != 0 && !end.entry.action.Custom():
		exchange.Refuse(w, r, end.refuse)
	default:
		exchange.Refuse(w, r, end.refusal())
	}
}

// refusal is that of a rule's own action.
func (end *ending) refusal() exchange.Refusal {
	a := &end.entry.action
	out := exchange.Refusal{Status: http.StatusForbidden, Kind: exchange.WAFFiltered, Rule: end.entry.rule, Reason: "waf", Detail: end.detail}
	if end.refuse.Status != 0 {
		out.Rule, out.Detail = end.refuse.Rule, end.refuse.Detail
	}
	if a.Status != 0 {
		out.Status = a.Status
	}
	if len(a.Headers) > 0 {
		out.Header = make(http.Header, len(a.Headers))
		for name, value := range a.Headers {
			out.Header.Set(name, value)
		}
	}
	if a.Body != "" {
		out.Page = &exchange.Page{Type: a.Type, Body: a.Body}
	}
	return out
}

// isMark reports whether a header's name is one of those by which services learn
// what matched, as careless servers read names.
func isMark(name string) bool {
	return len(name) > len(markPrefix) && strings.EqualFold(strings.ReplaceAll(name[:len(markPrefix)], "_", "-"), markPrefix)
}

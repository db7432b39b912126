package crs

import (
	"net/http"
	"strconv"

	"gatehouse/exchange"
	"gatehouse/waf/ruleset"
)

var _ ruleset.Engine = (*Set)(nil)

// Inspect implements ruleset.Engine.
func (s *Set) Inspect(x *exchange.Exchange, r *http.Request, late func(ruleset.Verdict)) ruleset.Verdict {
	f, in := s.Request(x, r)
	if in != nil {
		in.follow(x, r, late)
	}
	return f.verdict()
}

// follow inspects the answer, when it comes.
func (in *Inspection) follow(x *exchange.Exchange, r *http.Request, late func(ruleset.Verdict)) {
	if in.set.config.Responses.Bodies {
		delete(r.Header, "Accept-Encoding") // what the service would compress could not be read
	}
	x.OnHead(func(h *exchange.Head) {
		limit, wanted := in.Bodies(h)
		if !wanted {
			in.decide(h, r, nil, false, late)
			return
		}
		h.Hold(limit, func(h *exchange.Head, body []byte, _ bool) []byte {
			if in.decide(h, r, body[:min(len(body), limit)], true, late) {
				return nil
			}
			return body
		})
	})
}

// decide inspects the answer, and reports whether it was refused.
func (in *Inspection) decide(h *exchange.Head, r *http.Request, body []byte, seen bool, late func(ruleset.Verdict)) bool {
	f := in.Response(h, body, seen)
	v := f.verdict()
	denied := v.Refusal.Status != 0 && h.Exchange.Refused == nil
	if denied {
		h.Deny(r, v.Refusal)
	} else {
		v.Refusal = exchange.Refusal{}
	}
	if late != nil {
		late(v)
	}
	return denied
}

func (f *Finding) verdict() ruleset.Verdict {
	v := ruleset.Verdict{Refusal: f.Refusal, Labels: f.Labels(), Score: f.Score, Unseen: f.Unseen}
	switch f.Reason {
	case "", "rules":
	default:
		v.Failed = f.Reason
	}
	if _, found := f.Lead(); found || v.Failed != "" {
		v.Detail = f.Detail()
	}
	for i := range f.Matches {
		m := &f.Matches[i]
		out := ruleset.Match{ID: strconv.Itoa(m.ID), Message: m.Message}
		for _, p := range m.Places {
			out.Places = append(out.Places, ruleset.Place{Target: p.Target, Found: p.Found, Value: p.Shown()})
		}
		v.Matches = append(v.Matches, out)
	}
	return v
}

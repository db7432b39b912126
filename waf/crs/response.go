package crs

import (
	"net/http"
	"strings"

	"gatehouse/exchange"
	"gatehouse/waf/crs/inspect"
)

// Close ends an inspection and returns what only its end matched.
func (in *Inspection) Close() []inspect.Match { return in.session.Close() }

// Bodies reports whether an answer's body is to be held for the inspection, and
// up to how many bytes.
func (in *Inspection) Bodies(h *exchange.Head) (limit int, wanted bool) {
	c := in.set.config.Responses
	if !c.Bodies || !h.HasBody() || h.Status == http.StatusSwitchingProtocols || len(codings(h.Header["Content-Encoding"])) > 0 {
		return 0, false
	}
	t, _, _ := strings.Cut(h.Header.Get("Content-Type"), ";")
	t = strings.ToLower(strings.TrimSpace(t))
	for _, one := range c.types() {
		if t == strings.ToLower(one) {
			return int(c.Limit), true
		}
	}
	return 0, false
}

// Response inspects an answer: its head, and as much of its body as was held.
func (in *Inspection) Response(h *exchange.Head, body []byte, seen bool) Finding {
	var v inspect.Verdict
	err := in.set.enter(h.Exchange)
	if err == nil {
		v, err = in.session.Response(&inspect.Response{Status: h.Status, Proto: h.Exchange.Proto, Header: h.Header, Body: body, Seen: seen})
		in.set.leave()
	}
	f := in.set.finding(v, err)
	f.Matches = append(f.Matches, in.session.Close()...)
	return f
}

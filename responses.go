package gatehouse

import (
	"net/http"
	"time"

	"gatehouse/exchange"
	"gatehouse/observe/accesslog"
	"gatehouse/respond"
)

// responses returns the forms of an endpoint's refusals, made once for all
// endpoints that share them.
func (b *binder) responses(e *endpoint) exchange.Responses {
	cfg := e.policies.Responses
	if cfg == nil {
		return nil
	}
	forms, made := b.forms[cfg]
	if !made {
		forms = respond.New(cfg, variables(b.draft.config.Account))
		b.forms[cfg] = forms
	}
	return forms
}

// variables finds the variables of $context, which are those of the access log.
func variables(account string) func(name string) (respond.Variable, bool) {
	return func(name string) (respond.Variable, bool) {
		v, ok := accesslog.Find(name)
		if !ok {
			return respond.Variable{}, false
		}
		return respond.Variable{Number: v.IsNumber(), Append: func(b []byte, x *exchange.Exchange, r *http.Request) []byte {
			return v.Append(b, &accesslog.Record{Exchange: x, UserAgent: r.Header.Get("User-Agent"), Latency: time.Since(x.Start), Account: account})
		}}, true
	}
}

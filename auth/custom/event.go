package custom

import (
	"net/http"

	"gatehouse/event"
	"gatehouse/exchange"
)

// event is what the program is told of a request whose identity is known.
func (a *Authorizer) event(x *exchange.Exchange, r *http.Request, identity []string, arn string) []byte {
	q := &event.Request{Exchange: x, HTTP: r, Account: a.account}
	switch {
	case a.token:
		return event.AppendToken(nil, arn, identity[0])
	case a.format == "1.0":
		return event.AppendAuthorizerOne(nil, q, arn, identity)
	}
	return event.AppendAuthorizerTwo(nil, q, arn, identity)
}

// stagePath appends the path without the stage's.
func stagePath(b []byte, x *exchange.Exchange) []byte { return x.Path.AppendFrom(b, x.Skip) }

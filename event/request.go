package event

import (
	"net/http"
	"strings"
	"time"

	"gatehouse/exchange"
)

// Request is what an event is made of. It is read, and not kept.
type Request struct {
	Exchange *exchange.Exchange
	HTTP     *http.Request // its header is what the function is to see
	Body     []byte
	Account  string     // the gateway's account number
	Binary   MediaTypes // of an API that says which: payload format 1.0 alone
}

const timeForm = "02/Jan/2006:15:04:05 -0700"

func appendTime(b []byte, key string, t time.Time) []byte {
	b = append(appendKey(b, key), '"')
	b = t.UTC().AppendFormat(b, timeForm)
	return append(b, '"')
}

// resource returns the path of a route as written: /orders/{id}.
func resource(x *exchange.Exchange) string {
	if _, path, found := strings.Cut(x.Route, " "); found {
		return path
	}
	return x.Route
}

// appendStagePath appends the member key with the path below the stage's.
func appendStagePath(b []byte, key string, x *exchange.Exchange) []byte {
	return appendPath(b, key, x, x.Skip)
}

func appendPath(b []byte, key string, x *exchange.Exchange, skip int) []byte {
	b = append(appendKey(b, key), '"')
	b = x.Path.AppendFrom(b, skip) // percent encoding leaves nothing that JSON would escape
	return append(b, '"')
}

func appendClient(b []byte, x *exchange.Exchange) []byte {
	b = append(appendKey(b, "sourceIp"), '"')
	if x.Client.IsValid() {
		b = x.Client.AppendTo(b)
	}
	return append(b, '"')
}

func userAgent(r *http.Request) string { return first(r.Header["User-Agent"]) }

package transform

import (
	"net/http"

	"gatehouse/exchange"
)

// Method returns the filter that lets the target be asked by another method than
// the client's; nil for "". What the client asked for stays in the record.
func Method(method string) func(http.Handler) http.Handler {
	if method == "" {
		return nil
	}
	rule := &exchange.Rule{Filter: "transform", Name: "method " + method}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			exchange.From(r).Trail.Add(rule, exchange.Changed, "")
			r.Method = method
			next.ServeHTTP(w, r)
		})
	}
}

package edge

import (
	"net/http"
	"strconv"

	"gatehouse/http1/wire"
)

// undowngradable returns what a request by HTTP/2 says that could not be said by
// HTTP/1, or would say something else there: "" for nothing. The standard
// library takes any text for a method, and lets a Content-Length pass that is no
// number; what is behind us gets both, or counts on both, in HTTP/1's words.
func undowngradable(r *http.Request) (reason, detail string) {
	if !wire.IsToken(r.Method) {
		return "method", "a broken method"
	}
	for name, values := range r.Header {
		switch {
		case name != "Content-Length" && wire.ResemblesFraming(name):
			return "bad-request", "a field that resembles one of the body's framing"
		case name == "Content-Length" && !isLength(values, r.ContentLength):
			return "bad-request", "a broken Content-Length"
		}
	}
	return "", ""
}

// isLength reports whether the values of Content-Length are one number, and
// that which the engine has read.
func isLength(values []string, n int64) bool {
	if len(values) != 1 || values[0] == "" {
		return false
	}
	for i := range len(values[0]) {
		if c := values[0][i]; c < '0' || c > '9' {
			return false
		}
	}
	length, err := strconv.ParseInt(values[0], 10, 64)
	return err == nil && length == n
}

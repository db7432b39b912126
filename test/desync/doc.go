// Package desync proves that a gateway lets no request be taken for two. A
// Recorder is a server that keeps every byte that it is sent; the readers find
// the requests in them: one of our own that accepts nothing but the one form
// that a gateway should write, net/http's, and one that is as forgiving as the
// most careless of servers, in each of the ways in which such servers differ.
// Where all find the same requests, nobody behind the gateway can be led astray.
package desync

import (
	"fmt"
	"slices"
	"strings"
)

// Request is a request that was found in what a server received.
type Request struct {
	Method, Target, Host string
	Body                 string // as much as came
	Whole                bool   // all of it came

	fields  [][2]string
	trailer [][2]string
}

// Field returns the values of a field, by its name in lower case.
func (r *Request) Field(name string) (values []string) {
	for _, f := range r.fields {
		if strings.EqualFold(f[0], name) {
			values = append(values, f[1])
		}
	}
	return values
}

// Trailer returns the names of the trailer section's fields, as they came.
func (r *Request) Trailer() (names []string) {
	for _, f := range r.trailer {
		names = append(names, f[0])
	}
	return names
}

// Find returns the requests in what a server received on one connection, of
// which the last may not have come whole. An error tells of what servers could
// read in different ways.
func Find(received string) ([]Request, error) {
	strict, err := Strict(received)
	if err != nil {
		return strict, fmt.Errorf("%w, in %q", err, shortened(received))
	}
	standard, err := Standard(received)
	if err != nil {
		return strict, fmt.Errorf("net/http: %w, in %q", err, shortened(received))
	}
	if err := differ(strict, standard); err != nil {
		return strict, fmt.Errorf("net/http reads it otherwise: %w, in %q", err, shortened(received))
	}
	for _, way := range Ways {
		if err := differ(strict, Lenient(received, way)); err != nil {
			return strict, fmt.Errorf("a forgiving server (%+v) reads it otherwise: %w, in %q", way, err, shortened(received))
		}
	}
	for i := range strict {
		if err := lookalikes(&strict[i]); err != nil {
			return strict, fmt.Errorf("%w, in %q", err, shortened(received))
		}
	}
	return strict, nil
}

func differ(a, b []Request) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d requests, not %d", len(b), len(a))
	}
	for i := range a {
		x, y := &a[i], &b[i]
		switch {
		case x.Method != y.Method || x.Target != y.Target || x.Host != y.Host:
			return fmt.Errorf("%s %s of %q, not %s %s of %q", y.Method, y.Target, y.Host, x.Method, x.Target, x.Host)
		case x.Whole != y.Whole || x.Body != y.Body:
			return fmt.Errorf("the body %q, not %q", shortened(y.Body), shortened(x.Body))
		}
	}
	return nil
}

// once are fields that a server obeys, and of which therefore only one may be
// there whatever it takes for one; never are those that it may not see at all.
var (
	once = []string{
		"host", "content-length", "transfer-encoding", "connection", "te", "trailer", "expect",
		"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port",
	}
	never = []string{
		"upgrade", "http2-settings", "keep-alive", "proxy-connection", "proxy-authorization", "proxy", "forwarded",
		"x-real-ip", "true-client-ip", "x-http-method-override", "x-original-url", "x-rewrite-url", "x-forwarded-user",
		"remote-user", "x-gatehouse-principal",
	}
	plainly   = []string{"content-type", "content-encoding"}                   // that may be there by their own name alone
	inTrailer = []string{"authorization", "cookie", "x-api-key", "set-cookie"} // nor those of once and never
)

// lookalikes tells of fields that a server could take for others, which read
// any punctuation in a name as "-".
func lookalikes(r *Request) error {
	count := map[string]int{}
	for _, f := range r.fields {
		name := folded(f[0])
		if f[0] == "Upgrade" && r.handshake() {
			continue
		}
		if slices.Contains(never, name) || slices.Contains(plainly, name) && !strings.EqualFold(f[0], name) {
			return fmt.Errorf("%s %s with the field %q", r.Method, r.Target, f[0])
		}
		if slices.Contains(once, name) {
			if count[name]++; count[name] > 1 {
				return fmt.Errorf("%s %s with a second %q", r.Method, r.Target, f[0])
			}
		}
	}
	for _, f := range r.trailer {
		name := folded(f[0])
		if f[0] == "Upgrade" && r.handshake() {
			continue
		}
		if slices.Contains(never, name) || slices.Contains(once, name) || slices.Contains(inTrailer, name) || slices.Contains(plainly, name) {
			return fmt.Errorf("%s %s with the trailer field %q", r.Method, r.Target, f[0])
		}
	}
	return nil
}

// handshake reports whether a request opens a WebSocket, and asks for nothing
// else.
func (r *Request) handshake() bool {
	is := func(name, value string) bool { return slices.Equal(r.Field(name), []string{value}) }
	return r.Method == "GET" && r.Body == "" && is("Connection", "Upgrade") && is("Upgrade", "websocket") && is("Sec-WebSocket-Version", "13")
}

// folded is a field's name to a server that knows it as a CGI variable.
func folded(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'A' <= c && c <= 'Z':
			return c | 0x20
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			return c
		}
		return '-'
	}, name)
}

func shortened(s string) string {
	if len(s) <= 2000 {
		return s
	}
	return s[:1000] + "..." + s[len(s)-1000:]
}

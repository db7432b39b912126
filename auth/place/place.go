// Package place is where a credential may stand in a request: a header, a cookie
// or a parameter of the query. It finds it there, and takes it away.
package place

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gatehouse/config"
	"gatehouse/exchange"
)

// From is a place in a request where a token may stand.
type From struct {
	Place string // "header", "cookie" or "query"
	Name  string // a header's in net/http's spelling
}

var errFrom = errors.New("is no place for a token: write header.Authorization, cookie.NAME or query.NAME")

// UnmarshalText reads PLACE.NAME.
func (f *From) UnmarshalText(text []byte) error {
	place, name, _ := strings.Cut(string(text), ".")
	if !isToken(name) {
		return errFrom
	}
	switch place {
	case "header":
		name = http.CanonicalHeaderKey(name)
	case "cookie", "query":
	default:
		return errFrom
	}
	*f = From{place, name}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (f From) MarshalText() ([]byte, error) { return []byte(f.Place + "." + f.Name), nil }

// ConfigSchema implements config.Schemer.
func (From) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Pattern: `^(header|cookie|query)\..+$`, Examples: []any{"header.Authorization", "cookie.session"}}
}

// isToken reports a token of RFC 9110 section 5.6.2, as names of headers and
// cookies are.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// Origin is a web site: scheme, host and, where it is not the scheme's own,
// port.
type Origin string

var errOrigin = errors.New("is no origin: write https://HOST or https://HOST:PORT")

// UnmarshalText checks the origin and lower-cases it.
func (o *Origin) UnmarshalText(text []byte) error {
	u, err := url.Parse(strings.ToLower(string(text)))
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return errOrigin
	}
	*o = Origin(u.Scheme + "://" + u.Host)
	return nil
}

// ConfigSchema implements config.Schemer.
func (Origin) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Pattern: `^https?://[^/]+$`, Examples: []any{"https://www.example.com"}}
}

// Find returns the credential that stands in the place; that of Authorization is a
// bearer token's. Two different ones in one place are an error: which of them
// another server reads is a guess.
func (f *From) Find(r *http.Request, query string) (token string, found bool, err error) {
	switch f.Place {
	case "cookie":
		return findCookie(r.Header["Cookie"], f.Name)
	case "query":
		return findQuery(query, f.Name)
	}
	values := r.Header[f.Name]
	if len(values) == 0 {
		return "", false, nil
	}
	bearer := f.Name == "Authorization"
	if len(values) > 1 {
		return "", true, errSeveral
	}
	token, ok := cutBearer(values[0])
	switch {
	case ok:
		return token, true, nil
	case bearer: // another scheme's credential
		return "", false, nil
	}
	return values[0], values[0] != "", nil
}

var errSeveral = errors.New("the request carries several tokens in one place")

// cutBearer takes "Bearer " off, in any case (RFC 9110 section 11.1). With a tab
// it is malformed, yet a credential that servers could read: it is none of
// another scheme.
func cutBearer(s string) (string, bool) {
	const scheme = "bearer"
	if len(s) <= len(scheme) || !strings.EqualFold(s[:len(scheme)], scheme) {
		return "", false
	}
	if c := s[len(scheme)]; c != ' ' && c != '\t' {
		return "", false
	}
	return strings.Trim(s[len(scheme):], " "), true
}

// findCookie reads the Cookie fields (RFC 6265 section 5.4), which HTTP/2
// clients send in pieces. Spaces around a name do not count, as for the servers
// behind: one of two tokens that differ so would be theirs alone.
func findCookie(fields []string, name string) (token string, found bool, err error) {
	for _, field := range fields {
		for field != "" {
			var pair string
			pair, field, _ = strings.Cut(field, ";")
			n, value, ok := strings.Cut(pair, "=")
			if !ok || trim(n) != name {
				continue
			}
			value = unquote(trim(value))
			if found && value != token {
				return "", true, errSeveral
			}
			token, found = value, true
		}
	}
	return token, found && token != "", nil
}

func trim(s string) string { return strings.Trim(s, " \t") }

func unquote(s string) string {
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// findQuery reads one parameter of a query.
func findQuery(query, name string) (token string, found bool, err error) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		n, value, _ := strings.Cut(pair, "=")
		if n = unescape(n); n != name {
			continue
		}
		if value = unescape(value); found && value != token {
			return "", true, errSeveral
		}
		token, found = value, true
	}
	return token, found && token != "", nil
}

// unescape undoes the encoding of a part of a query; what is broken stays as it
// is, and is then no token.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// Strip takes the credential out of the request, wherever in the place it may
// stand, so that no service behind gets it.
func (f *From) Strip(x *exchange.Exchange, r *http.Request) {
	switch f.Place {
	case "header":
		delete(r.Header, f.Name)
	case "cookie":
		StripCookies(r.Header, func(name string) bool { return name == f.Name })
	case "query":
		x.Path.Query = WithoutParameters(x.Path.Query, f.Name)
	}
}

// StripCookies takes out of the Cookie fields what goes by a name that drop
// reports.
func StripCookies(h http.Header, drop func(name string) bool) {
	fields := h["Cookie"]
	var kept []string
	changed := false
	for _, field := range fields {
		for pair := range strings.SplitSeq(field, ";") {
			pair = trim(pair)
			name, _, _ := strings.Cut(pair, "=")
			switch {
			case drop(trim(name)):
				changed = true
			case pair != "":
				kept = append(kept, pair)
			}
		}
	}
	switch {
	case !changed:
	case len(kept) == 0:
		delete(h, "Cookie")
	default:
		h["Cookie"] = []string{strings.Join(kept, "; ")}
	}
}

// WithoutParameters returns a query less the parameters of the names, however
// they are encoded. Where it holds none it is the query itself.
func WithoutParameters(query string, names ...string) string {
	if query == "" || len(names) == 0 {
		return query
	}
	var kept []string
	changed := false
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if slices.Contains(names, unescape(name)) {
			changed = true
			continue
		}
		kept = append(kept, pair)
	}
	if !changed {
		return query
	}
	return strings.Trim(strings.Join(kept, "&"), "&")
}

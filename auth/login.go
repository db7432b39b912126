package auth

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gatehouse/auth/scheme"
	"gatehouse/exchange"
)

// sendToLogin answers a person's navigation with a redirect to where the
// authorizer has people log in, and reports whether it did. Programs, scripts
// of pages and everybody else get a status that they can read, and so does who
// asks for a login that wants a credential itself.
func sendToLogin(w http.ResponseWriter, r *http.Request, a *Authorizer, v scheme.Verdict) bool {
	if s, ok := a.scheme.(scheme.Starter); ok {
		return isNavigation(r) && s.Start(w, exchange.From(r), r)
	}
	login := a.scheme.Login()
	if login == "" || !isNavigation(r) {
		return false
	}
	x := exchange.From(r)
	if asksFor(login, x, r) {
		x.Trail.Add(a.rule, exchange.Failed, "the login wants a credential itself: publish it by authorize: none")
		return false
	}
	x.Trail.Add(a.rule, exchange.Answered, "sent to login: "+v.Detail)
	h := w.Header()
	h.Set("Location", loginURL(login, returnTo(login, x, r, a.scheme.QueryParameters())))
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusFound)
	return true
}

// asksFor reports whether a request is for the login: sent there, it would go
// round in circles.
func asksFor(login string, x *exchange.Exchange, r *http.Request) bool {
	u, err := url.Parse(login)
	if err != nil || u.Host != "" && !strings.EqualFold(u.Host, r.Host) {
		return false
	}
	return strings.TrimRight(u.EscapedPath(), "/") == strings.TrimRight(x.Path.Canonical(), "/")
}

// isNavigation reports a request that a person made by a link, a bookmark or
// the address bar, by Fetch Metadata where the browser sends it.
func isNavigation(r *http.Request) bool {
	h := r.Header
	if r.Method != http.MethodGet || h.Get("Upgrade") != "" || h.Get("X-Requested-With") != "" {
		return false
	}
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return false
	}
	return acceptsHTML(h["Accept"])
}

// acceptsHTML reports whether text/html is named: programs that take anything
// do not name it.
func acceptsHTML(fields []string) bool {
	for _, field := range fields {
		for part := range strings.SplitSeq(field, ",") {
			name, _, _ := strings.Cut(part, ";")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "text/html", "application/xhtml+xml":
				return true
			}
		}
	}
	return false
}

// maxReturn is the longest address to return to with its query, in bytes.
const maxReturn = 2048

// returnTo is the address that the person wanted: on the host that the request
// came for, so that it leads nowhere else. A login on the same host gets the
// path alone. Credentials in the query stay behind, and so does a query that
// is too long.
func returnTo(login string, x *exchange.Exchange, r *http.Request, secrets []string) string {
	to := x.Path.Canonical()
	if query := without(x.Path.Query, secrets); query != "" && len(to)+len(query) < maxReturn {
		to += "?" + query
	}
	if strings.HasPrefix(login, "/") {
		return "/" + strings.TrimLeft(to, "/") // never //host
	}
	return scheme.Proto(x, r) + "://" + r.Host + to
}

// without returns a query less the parameters of the names.
func without(query string, names []string) string {
	if len(names) == 0 {
		return query
	}
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if !slices.Contains(names, name) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

func loginURL(login, to string) string {
	mark := "?"
	if strings.Contains(login, "?") {
		mark = "&"
	}
	return login + mark + "return=" + url.QueryEscape(to)
}

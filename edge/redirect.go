package edge

import (
	"net"
	"net/http"
	"strconv"

	"gatehouse/exchange"
)

// Redirects reports whether r came to a listener that only redirects.
func Redirects(r *http.Request) bool {
	c := fromContext(r.Context())
	return c != nil && c.policy.redirects != nil
}

// Redirect answers r where its listener only redirects to https, and reports
// whether it did. GET and HEAD get 301, all else 308, which keeps method and
// body (RFC 9110 section 15.4). It sends clients to whatever x.Host says: call it
// after Check, Host and Clean, for hosts that are served.
func Redirect(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) bool {
	c := fromContext(r.Context())
	if c == nil || c.policy.redirects == nil {
		return false
	}
	location := "https://" + x.Host
	if port := c.redirectPort(); port != 443 {
		location += ":" + strconv.Itoa(port)
	}
	status := http.StatusPermanentRedirect
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		status = http.StatusMovedPermanently
	}
	h := w.Header()
	h.Set("Location", location+Target(r))
	h.Set("Content-Length", "0")
	x.Trail.Add(c.policy.redirects, exchange.Answered, "")
	w.WriteHeader(status)
	return true
}

// redirectPort returns the port to redirect to, 443 where the listener that
// it depends on is gone.
func (c *conn) redirectPort() int {
	to := c.policy.redirect
	if to.port != 0 {
		return to.port
	}
	if tcp, ok := c.listener.owner.Addr(to.key).(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 443
}

package edge

import (
	"net/http"
	"net/textproto"
	"strings"

	"gatehouse/edge/fields"
	"gatehouse/exchange"
)

// Clean brings a request into the form that everything behind relies on, and
// writes down what the connection tells: to be called once, after Begin and
// before anything reads r's headers.
//
// It removes hop-by-hop fields with all that Connection nominates, what tells
// servers another method, path, host or address than the gateway decides by,
// whatever the case and with "_" for "-", and from peers that are not trusted
// every forwarding header. Upgrade stays for a WebSocket handshake alone
// (RFC 6455 section 4.1), TE as "trailers" alone. Of the trailers that the
// client announces it leaves what fields.CleanTrailer does: nobody may pass on
// others, which come with the body's end.
//
// It sets x.Client, the body's limit, a hook for HSTS and the connection's end,
// and the headers by which upstreams learn of the client:
// X-Forwarded-For, -Proto, -Host and -Port. Values of these are shared between
// requests of a connection: replace them, do not write into them.
//
// An ordinary request costs one pass over its headers and no allocation.
func Clean(x *exchange.Exchange, r *http.Request) {
	c := fromContext(r.Context())
	cleanHeaders(x, c, r)
	if c != nil {
		x.Body.SetLimit(c.policy.BodyLimit)
		x.OnHead(c.onHead)
	}
}

func cleanHeaders(x *exchange.Exchange, c *conn, r *http.Request) {
	h := r.Header
	socket := strip(h, r)
	var said claims
	for name := range h {
		switch fields.Classify(name) {
		case fields.Never, fields.Connection:
			delete(h, name)
		case fields.Forwarding:
			if x.Conn.Trusted {
				said.note(name, h[name])
			} else {
				delete(h, name)
			}
		case fields.Address:
			if x.Conn.Trusted {
				said.addresses = true
			} else {
				delete(h, name)
			}
		case fields.TE:
			keepTrailers(h, name)
		case fields.Upgrade:
			if !socket {
				delete(h, name)
			}
		}
	}
	fields.CleanTrailer(r.Trailer)
	forward(x, c, r, &said)
}

// atHead is what every answer's head on c gets: HSTS, and the word that the
// connection ends, which HTTP/2 says by GOAWAY. It looks when the answer
// begins, since a reload may have come after the request.
func (c *conn) atHead(h *exchange.Head) {
	if c.policy.hsts != nil && !isLocal(h.Exchange.Host) {
		h.Header["Strict-Transport-Security"] = c.policy.hsts
	}
	if c.ending() {
		h.Header.Set("Connection", "close")
	}
}

// strip removes what Connection nominates, and reports whether the request is
// a WebSocket handshake.
func strip(h http.Header, r *http.Request) (socket bool) {
	values := h["Connection"]
	for _, value := range values {
		for value != "" {
			var token string
			token, value, _ = strings.Cut(value, ",")
			token = textproto.TrimString(token)
			switch {
			case token == "", strings.EqualFold(token, "keep-alive"), strings.EqualFold(token, "close"):
			case strings.EqualFold(token, "upgrade"):
				socket = isWebSocket(h, r)
			default:
				remove(h, textproto.CanonicalMIMEHeaderKey(token))
			}
		}
	}
	return socket
}

// remove removes a field that Connection nominates, unless trust alone decides
// over it: a client whose Connection a trusted proxy passes on could take away
// what the proxy says of it, and be taken for the proxy.
func remove(h http.Header, name string) {
	switch fields.Classify(name) {
	case fields.Forwarding, fields.Address:
	default:
		delete(h, name)
	}
}

func isWebSocket(h http.Header, r *http.Request) bool {
	to := h["Upgrade"]
	// Over HTTP/2 these fields come from extendedConnect alone: the engine refuses
	// a request that holds them.
	return r.ProtoAtLeast(1, 1) && r.Method == http.MethodGet && len(to) == 1 && strings.EqualFold(to[0], "websocket")
}

// keepTrailers reduces TE to the one value that concerns more than this hop's
// framing: gRPC asks for trailers by it.
func keepTrailers(h http.Header, name string) {
	values := h[name]
	if len(values) == 1 && values[0] == "trailers" && name == "Te" {
		return
	}
	delete(h, name)
	for _, value := range values {
		for value != "" {
			var token string
			token, value, _ = strings.Cut(value, ",")
			if strings.EqualFold(textproto.TrimString(token), "trailers") {
				h["Te"] = []string{"trailers"}
				return
			}
		}
	}
}

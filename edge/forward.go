package edge

import (
	"net/http"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"

	"gatehouse/edge/fields"
	"gatehouse/edge/forwarded"
	"gatehouse/exchange"
)

// The values of `client-address`.
const byForwarded = "forwarded"

// claims is what a trusted peer says in forwarding headers.
type claims struct {
	any, addresses    bool
	chain, forwarded  []string
	proto, host, port []string
}

func (s *claims) note(name string, values []string) {
	s.any = true
	switch name {
	case "X-Forwarded-For":
		s.chain = values
	case "Forwarded":
		s.forwarded = values
	case "X-Forwarded-Proto":
		s.proto = values
	case "X-Forwarded-Host":
		s.host = values
	case "X-Forwarded-Port":
		s.port = values
	}
}

// forwardedHost is X-Forwarded-Host for the host that a connection asked for
// last: it hardly ever asks for another.
type forwardedHost struct {
	host  string
	value []string
}

func (c *conn) hostValue(host string) []string {
	last := c.forwarded.Load()
	if last == nil || last.host != host {
		last = &forwardedHost{host, []string{host}}
		c.forwarded.Store(last)
	}
	return last.value
}

// describe makes the values that are the same for every request of c.
func (c *conn) describe() {
	c.onHead = c.atHead
	c.from = []string{c.info.Source.Addr().String()}
	port := c.via
	if port == 0 && c.tcp != nil {
		port = addrPort(c.tcp.LocalAddr()).Port()
	}
	c.port = []string{strconv.Itoa(int(port))}
}

func protoOf(secure bool) []string {
	if secure {
		return []string{"https"}
	}
	return []string{"http"}
}

// stranger stands in for the conn of a request that no Listeners served.
func stranger(info *exchange.Conn) *conn {
	c := &conn{info: *info, policy: &Policy{proto: protoOf(info.TLS)}}
	c.describe()
	return c
}

// forward finds the client and tells upstreams of it.
func forward(x *exchange.Exchange, c *conn, r *http.Request, said *claims) {
	h := r.Header
	x.Client = x.Conn.Source.Addr()
	if c == nil {
		c = stranger(x.Conn)
	}
	h["X-Forwarded-For"] = c.from
	h["X-Forwarded-Proto"] = c.policy.proto
	h["X-Forwarded-Port"] = c.port
	h["X-Forwarded-Host"] = c.hostValue(r.Host)
	if said.any {
		believe(x, c.policy, h, said)
	}
	if said.addresses {
		tellAddress(h, x.Client)
	}
}

// tellAddress makes every proxy's own field for the client's address say what
// the gateway found: a proxy may have let the client's word pass.
func tellAddress(h http.Header, client netip.Addr) {
	value := []string{client.String()}
	for name := range h {
		if fields.Classify(name) == fields.Address {
			h[name] = value
		}
	}
}

// believe takes a trusted peer's word. The client is the right-most address
// of the chain that is no trusted proxy. What stands to its left was written
// by the client or on its word, and is not passed on.
//
// One header is read, never both: Forwarded where the policy says so or where
// there is no X-Forwarded-For, and X-Forwarded-* otherwise. A proxy that writes
// the one lets the client's own version of the other pass.
func believe(x *exchange.Exchange, p *Policy, h http.Header, said *claims) {
	delete(h, "Forwarded")
	var hops forwarded.Chain
	if p.settings.clientAddress == byForwarded || said.chain == nil && said.forwarded != nil {
		last := hops.ReadForwarded(said.forwarded, p)
		said.proto, said.host, said.port = []string{last.Proto}, []string{last.Host}, nil
	} else {
		hops.ReadList(said.chain, p)
	}
	if client, ok := hops.Client(); ok {
		x.Client = client
		h["X-Forwarded-For"] = []string{hops.Text(x.Conn.Source.Addr())}
	}
	if proto := lastToken(said.proto); strings.EqualFold(proto, "https") || strings.EqualFold(proto, "http") {
		h["X-Forwarded-Proto"] = []string{strings.ToLower(proto)}
	}
	if host := lastToken(said.host); host != "" && validHost(host) {
		h["X-Forwarded-Host"] = []string{host}
	}
	if port, err := strconv.ParseUint(lastToken(said.port), 10, 16); err == nil && port > 0 {
		h["X-Forwarded-Port"] = []string{strconv.FormatUint(port, 10)}
	}
}

// lastToken returns the last item of a list: what the peer itself said.
func lastToken(values []string) string {
	if len(values) == 0 {
		return ""
	}
	v := values[len(values)-1]
	return textproto.TrimString(v[strings.LastIndexByte(v, ',')+1:])
}

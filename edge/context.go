package edge

import (
	"context"
	"net"
	"net/http"

	"crypto/tls"

	"gatehouse/exchange"
	"gatehouse/http1"
)

type connKey struct{}

// h1Context is the context of an HTTP/1 connection. Requests find their conn
// there without a search, and without an allocation for each.
type h1Context struct {
	http1.Connection
	conn *conn
}

func (c h1Context) Value(key any) any {
	if _, ok := key.(connKey); ok {
		return c.conn
	}
	return c.Connection.Value(key)
}

// h2Context is the context of an HTTP/2 connection.
type h2Context struct {
	context.Context
	conn *conn
}

func (c h2Context) Value(key any) any {
	if _, ok := key.(connKey); ok {
		return c.conn
	}
	return c.Context.Value(key)
}

// connOf returns the conn below the TLS connection that the HTTP/2 engine
// serves.
func connOf(c net.Conn) *conn {
	below, _ := c.(*tls.Conn).NetConn().(*conn)
	return below
}

func fromContext(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}

// ConnOf returns what is known of the connection that r came on; nil for a
// request that no Listeners served. It costs no allocation.
func ConnOf(r *http.Request) *exchange.Conn {
	if c := fromContext(r.Context()); c != nil {
		return &c.info
	}
	return nil
}

// PolicyOf returns the policy of the connection that r came on: the one in
// force when the connection was accepted; nil for a request that no Listeners
// served.
func PolicyOf(r *http.Request) *Policy {
	if c := fromContext(r.Context()); c != nil {
		return c.policy
	}
	return nil
}

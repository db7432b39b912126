package http1

import (
	"context"
	"net/http"
	"time"
)

// Settings are what connections of a Server may take. They do not change while
// it serves.
type Settings struct {
	Head          int           // bytes of a request's line and fields; more is 414 or 431
	Fields        int           // fields of a request, and of a trailer section; more is 431
	HeaderTimeout time.Duration // for a head, from its first byte; for the first byte of a connection
	IdleTimeout   time.Duration // from an answer to the next request's first byte
	BodyTimeout   time.Duration // for a body that stalls; 0 for no limit
	BodyRate      int64         // bytes a second on average once BodyTimeout is used up; 0 for any
}

// Server serves HTTP/1.1 connections. It is safe for concurrent use.
type Server struct {
	Settings
	Handler http.Handler
	clock   clockText
}

// Owner is whose connection is served. Every call comes from the goroutine that
// serves it, but for SlowBody, which comes from whoever reads the body.
type Owner interface {
	// Context returns the context for the connection's requests, a child of
	// the connection's. It is called before the first request, and before
	// every one that follows a context that is spent.
	Context(connection Connection) Context
	// Refused is told of a request that is refused before a handler sees it,
	// and returns the fields and the body of the answer; the connection ends.
	Refused(f Fault) (http.Header, []byte)
	// Broken is told that the connection broke off within a request's head.
	Broken()
	// SlowBody is told of a body that stalled or came too slowly.
	SlowBody()
	// Hijacked is told that a handler took the connection over.
	Hijacked()
	// Panicked is told of a handler's panic, other than http.ErrAbortHandler.
	Panicked(cause any)
}

// Connection is a connection's context. It ends with the connection, and with
// what Done tells of the client.
type Connection interface {
	context.Context
	// AfterFunc is what package context asks for, so that children cost no
	// goroutine.
	AfterFunc(f func()) (stop func() bool)
}

// Context is the context of requests, one after the other.
type Context interface {
	context.Context
	// Spent reports, once a request has been served, whether somebody may
	// still hold the context or the request.
	Spent() bool
}

// Fault is why a request is refused before a handler sees it.
type Fault struct {
	Status int    // 400, 408, 414, 417, 431 or 505
	Reason string // one of few words, for metrics
	Detail string // what is wrong, in our words
}

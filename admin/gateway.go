package admin

import (
	"context"
	"net"
	"net/http"

	"gatehouse/config"
)

// Gateway is what the package needs of the gateway. The documents that it
// returns are written as JSON, and mean nothing to this package. Its methods
// may be called at any time and from any goroutine.
type Gateway interface {
	// Ready says why the gateway does not serve; nil where it does.
	Ready() error
	// Status describes the gateway as a whole.
	Status() any
	// Routes lists the routes with their chains.
	Routes() any
	// Certificates lists the certificates that listeners serve.
	Certificates() any
	// IdentityKeys returns the JWKS that verifies what services are told of callers.
	IdentityKeys() any
	// Explain returns what is remembered of a request.
	Explain(id string) (any, bool)
	// Recent lists requests that are remembered, the newest first.
	Recent(n int) any
	// Plan says what would change if the configuration in a file were in
	// force; with "", what a reload would change.
	Plan(ctx context.Context, file string) (any, error)
	// Reload loads the configuration anew and says what changed.
	Reload(ctx context.Context) (any, error)
	// TakeOver offers everything to the process at the other end of a connection
	// by TakeOverProtocol, which is the Gateway's from then on, to close as well.
	TakeOver(conn *net.UnixConn)
	// Restart starts the program anew as a process that takes over, and returns
	// once that one serves, or why it does not.
	Restart(ctx context.Context) error
	// ServeAWS answers a request that is signed for a service of AWS's, and
	// authenticates it by that.
	ServeAWS(w http.ResponseWriter, r *http.Request)
	// ReopenLogs opens log files anew, after they were renamed.
	ReopenLogs() error
}

// Problems is an error that says what is wrong with a configuration, each
// problem with its place. Errors of Plan and Reload that implement it are sent
// with their problems.
type Problems interface {
	error
	Problems() []config.Problem
}

// Error is what a call on the control socket failed with.
type Error struct {
	Status  int              `json:"-"`
	Message string           `json:"message"`
	List    []config.Problem `json:"problems,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Problems implements Problems.
func (e *Error) Problems() []config.Problem { return e.List }

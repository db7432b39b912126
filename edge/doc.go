// Package edge is where clients arrive: sockets, TLS and certificates, PROXY
// protocol, connection limits, time limits, and the cleaning of what a client
// says about itself.
//
// The root compiles the `listen:` section into Policies, which are immutable
// and live in its snapshot, and keeps one Listeners, which owns the sockets:
//
//	policies := edge.Compile(config.Listen, edge.Compilation{...}, &report)
//	lease := listeners.Begin()
//	if err := lease.Bind(policies); err != nil { lease.Abort() ... }
//	snapshot.Store(...)   // what Options.Policy reads
//	lease.Commit()
//
// Its handler then calls, for every request and in this order, ConnOf, Check,
// Host, Clean and Redirect.
//
// A connection keeps the policy under which it was accepted. A reload that
// changes more than certificates, HSTS and the body limit makes connections of
// the old policy say so: their next answer carries Connection: close (HTTP/2:
// GOAWAY). No socket is closed and no request is lost.
package edge

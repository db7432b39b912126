// Package upstream is the reverse proxy: a target that passes requests on to a
// service and its answers back.
//
// A Config is a service as the operator wrote it. A Keeper holds what outlives
// a reload: pooled connections, the health of targets, resolved names. A Lease
// binds a Config to them as a Service, and New makes of a Service, or several,
// the http.Handler at the end of a route's chain.
//
// A request is served by the caller's goroutine alone: one write, then reads.
// Only a body that is not small has a goroutine of its own, since the answer
// may come before its end.
package upstream

// Package exchange is the record of one request: what is known of its
// connection, path, route, caller, upstream and timings, and what every filter
// decided. It owns the request's body and the one ResponseWriter.
//
// An Exchange is the request's context.Context. Filters reach it by From and
// write what they find into its typed fields; they add no values to contexts
// and wrap no writers. Access log, metrics, audit and `gatehouse explain` are
// printed from it.
//
// An Exchange belongs to the goroutine that serves its request. Its Done, Err,
// Deadline and Value may be called from any goroutine until the request ends.
package exchange

// Package route finds what serves a request: host, method and canonical path,
// and where a route says so headers and query parameters, lead to a value of
// the caller's (a chain of filters) and to the path's parameters.
//
// A Table is built once from all stages of all APIs, is never changed, and may
// be used by any number of goroutines. A lookup costs one step for each segment
// of the path, whatever the number of routes, and no allocation.
package route

// Package accesslog prints one line for each request: Format makes the line,
// File writes lines in batches.
//
// A Format is compiled once and appends to a buffer; making a line allocates
// nothing. A File is written by one goroutine. Requests never wait for it: what
// does not fit its buffer is dropped, and counted.
package accesslog

// Package compress gives answers a content coding that the client takes: zstd,
// brotli or gzip, negotiated as RFC 9110 section 12.5.3 says.
//
// It is two filters. New stands outermost and codes answers on their way out,
// so that bodies are plain to everything within. Plain stands before the
// target, behind whoever verifies the request as it was sent: it asks the
// target for a plain body, and gives it back its own entity tags.
package compress

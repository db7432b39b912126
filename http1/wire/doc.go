// Package wire is HTTP/1.1 as bytes, for servers and clients: heads and bodies
// are read from a connection through one buffer, request lines and fields are
// appended to another. It knows no policy: which connection, how long to wait
// and what to do about an error is its user's.
//
// It reads strictly. What RFC 9112 does not allow, and what two readers could
// understand in two ways, is an error that wraps ErrBad: bare CR or LF, folded
// lines, control bytes, both Content-Length and Transfer-Encoding, several or
// differing lengths, any transfer coding but chunked, broken chunks.
package wire

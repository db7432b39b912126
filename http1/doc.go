// Package http1 is the server side of HTTP/1.1 under the ordinary
// http.Handler, made for a proxy: one goroutine a connection, which owns its
// buffers, its request, its header maps and its answer and uses them again for
// the next request; one read and one write for a small message.
//
// A Server holds settings. Serve runs one connection on the caller's goroutine
// until it ends; an Owner is told what happens to it and supplies the contexts
// of its requests.
//
// What the package promises a handler is what net/http does, but for this:
//
//   - The request, its URL and maps and the answer's header map are used again
//     once the handler has returned. A handler that leaves them with somebody
//     makes its context say so (Context.Spent), and gets fresh ones.
//   - Reading the body and writing the answer may overlap without asking.
//   - Content-Type is not guessed, and no field is added but Date, Connection
//     and what frames the body.
//   - The context's Done costs a goroutine, from when it is first asked for to
//     the request's end; nobody watches for a client that goes away before.
//
// It refuses what RFC 9112 does not allow and what two servers could read in
// two ways; see package wire and docs/decisions.
package http1

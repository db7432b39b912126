// Package takeover moves a running gateway into a new process: it passes
// listening sockets, the lock of the data folder and what is known from one
// process to the next, takes sockets over from a service manager, and tells
// that how the gateway does.
//
// It opens no sockets of its own and knows nothing of what they are for: the
// root says what is given, and when.
package takeover

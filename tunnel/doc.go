// Package tunnel joins two connections that speak the WebSocket protocol, a
// client's and a service's, until one of them ends or the tunnel has had its
// time. Bytes pass as they are; of their frames (RFC 6455 section 5.2) only
// the lengths are followed, so that a tunnel that the gateway ends is ended by
// a Close frame between two frames, and clients know to connect anew.
//
// A Keeper knows every tunnel that is open: it counts them by caller, and
// drains them when the gateway stops. An idle tunnel holds two goroutines and
// no buffer.
package tunnel

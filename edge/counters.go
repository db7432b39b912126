package edge

import "sync/atomic"

// Counters count what happens at one listener. All but the gauges Active and
// Hijacked only grow. They survive reloads that keep the address.
type Counters struct {
	Accepted        atomic.Int64 // connections accepted by the kernel's leave
	Active          atomic.Int64 // gauge: connections open now, of any kind
	Hijacked        atomic.Int64 // gauge: those of them taken over, such as WebSockets
	RefusedLimit    atomic.Int64 // closed at once: too many connections in all
	RefusedAddress  atomic.Int64 // closed at once: too many of one address
	AcceptErrors    atomic.Int64 // accept failed, as for want of descriptors
	ProxyErrors     atomic.Int64 // PROXY header missing, broken, late or from a stranger
	HandshakeErrors atomic.Int64 // TLS handshakes that failed
	HTTPOverTLS     atomic.Int64 // those of them where the client spoke plain HTTP
	HandshakeSlow   atomic.Int64 // those of them that ran out of time
	BadRequests     atomic.Int64 // requests the engine refused: 400, 417, 501, 505
	LargeHeaders    atomic.Int64 // requests the engine refused with 431
	SlowHeaders     atomic.Int64 // connections cut because headers did not come in time
	CutRequests     atomic.Int64 // connections that ended within a request's headers
	SlowBodies      atomic.Int64 // bodies given up because they stalled or came too slowly
	HTTP2Errors     atomic.Int64 // HTTP/2 connections and streams ended for breaking the protocol or its limits
	EngineErrors    atomic.Int64 // whatever else the HTTP engine reported
}

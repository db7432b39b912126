// Package websocket decides which WebSocket handshakes (RFC 6455 section 4) may
// become tunnels: well formed, from a page that may, and not one too many of
// their caller. The tunnel itself is the target's to open.
package websocket

package main

import "fmt"

// logging says whose access log is on in a case.
type logging int

const (
	logNone logging = iota
	logGatehouse
	logAll
)

// scenario is one case: what the proxies are configured for and what load
// they get.
type scenario struct {
	name, title string
	connections int
	streams     int // requests in flight per connection; above 0 it is HTTP/2
	tls         bool
	big         bool // the 100 KB answer
	logs        logging
	algorithm   string // JWT algorithm of a secured case
	routes      int    // how many routes the configuration holds; 0 is one
	start       bool   // measures the start instead of requests
	handshakes  bool   // every request comes on a connection of its own
	paced       bool   // requests come at a given rate, answered or not
	callers     bool   // measures what each way of knowing and judging callers adds, for Gatehouse alone
	caller      string // one of these ways; "" for none
	order       bool   // requests are orders that a browser posts
	rules       bool   // the Core Rule Set looks at every request
	idle        int    // above 0: measures the memory of so many idle connections instead of requests

	// most is the highest ratio to nginx that Gatehouse means to have; 0 where
	// it has no such aim.
	most float64
}

// routeCount is the size of the case with many routes.
const routeCount = 10_000

func cases() []scenario {
	return []scenario{
		{name: "quiet", title: "Plain proxy, small JSON, 64 connections, no access logs", connections: 64, most: 1.1},
		{name: "large", title: "Plain proxy, 100 KB answers, no access logs", connections: 64, big: true, most: 1.2},
		{name: "tls", title: "TLS 1.3 keep-alive, small JSON, no access logs", connections: 64, tls: true, most: 1.3},
		{name: "secured-hs256", title: "Secured route: 1,000 tokens (JWT, HS256) in rotation, throttle by subject, access log to a file", connections: 64, algorithm: "HS256", logs: logAll, most: 0.8},
		{name: "secured-es256", title: "Secured route: 1,000 tokens (JWT, ES256) in rotation, throttle by subject, access log to a file", connections: 64, algorithm: "ES256", logs: logAll, most: 0.8},
		{name: "handshakes", title: "Full TLS 1.3 handshakes (X25519, ECDSA P-256), one proxied GET each", connections: 16, tls: true, handshakes: true, most: 1.15},
		{name: "http2", title: "HTTP/2 over TLS 1.3, 16 connections of 10 streams, no access logs", connections: 16, streams: 10, tls: true, most: 4},
		{name: "paced", title: fmt.Sprintf("Latency at %.0f %% of nginx's highest rate, small JSON, 64 connections, no access logs", 100*paceShare), connections: 64, paced: true, most: 1.5},
		{name: "idle", title: fmt.Sprintf("Memory for %d idle TLS connections, after one request on each", idleCount), tls: true, idle: idleCount, most: 2},
		{name: "plain", title: "Plain proxy, small JSON, Gatehouse with access log and metrics, the others without a log", connections: 64, logs: logGatehouse},
		{name: "logged", title: "Plain proxy, small JSON, everyone writes an access log to a file", connections: 64, logs: logAll},
		{name: "routes", title: fmt.Sprintf("%d routes, requests spread over them, no access logs", routeCount), connections: 64, routes: routeCount},
		{name: "rules", title: "Web application firewall: the Core Rule Set at paranoia 1, bare GET, 64 connections, no access logs", connections: 64, rules: true},
		{name: "rules-order", title: "Web application firewall: the same, a browser's JSON order by POST (cookies, bearer token)", connections: 64, rules: true, order: true},
		{name: "callers", title: "Gatehouse alone: what ways of knowing and judging callers add to a request, no access log", connections: 64, callers: true},
		{name: "start", title: "Start to first answer over TLS, and memory at rest", tls: true, start: true},
	}
}

// secured reports whether requests carry a token.
func (c scenario) secured() bool { return c.algorithm != "" }

// logsFor reports whether a proxy writes an access log in this case.
func (c scenario) logsFor(p peer) bool {
	return c.logs == logAll || c.logs == logGatehouse && p.name == "gatehouse"
}

// paths are what the clients ask for.
func (c scenario) paths() []string {
	switch {
	case c.big:
		return []string{"/big"}
	case c.routes == 0:
		return []string{"/orders/42"}
	}
	paths := make([]string, 0, 997)
	for i := range cap(paths) {
		paths = append(paths, routePath(i*7919%c.routes)+"42")
	}
	return paths
}

// routePath is the fixed part of the i-th of many routes; one more segment
// follows it.
func routePath(i int) string { return fmt.Sprintf("/team%d/service%d/orders/", i%100, i) }

// routePaths are the fixed parts of all routes of the case.
func (c scenario) routePaths() []string {
	var paths []string
	for i := range c.routes {
		paths = append(paths, routePath(i))
	}
	return paths
}

// body is the answer that the backend gives in this case.
func (c scenario) body() []byte {
	if c.big {
		return bigBody()
	}
	return smallBody()
}

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
}

// routeCount is the size of the case with many routes.
const routeCount = 10_000

func cases() []scenario {
	return []scenario{
		{name: "plain", title: "Plain proxy, small JSON, Gatehouse with access log and metrics, the others without a log", connections: 64, logs: logGatehouse},
		{name: "logged", title: "Plain proxy, small JSON, everyone writes an access log to a file", connections: 64, logs: logAll},
		{name: "quiet", title: "Plain proxy, small JSON, no access logs", connections: 64},
		{name: "large", title: "100 KB answers, Gatehouse with access log and metrics, the others without a log", connections: 64, big: true, logs: logGatehouse},
		{name: "tls", title: "TLS 1.3 keep-alive, small JSON, no access logs", connections: 64, tls: true},
		{name: "secured-hs256", title: "Secured route: JWT HS256, throttle by subject, access log; plus metrics in Gatehouse", connections: 64, algorithm: "HS256", logs: logAll},
		{name: "secured-es256", title: "Secured route: JWT ES256, throttle by subject, access log; plus metrics in Gatehouse", connections: 64, algorithm: "ES256", logs: logAll},
		{name: "routes", title: fmt.Sprintf("%d routes, requests spread over them, no access logs", routeCount), connections: 64, routes: routeCount},
		{name: "http2", title: "HTTP/2 over TLS 1.3, 16 connections of 10 streams, no access logs", connections: 16, streams: 10, tls: true},
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

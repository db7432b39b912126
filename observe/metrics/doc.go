// Package metrics counts requests and shows what it counted in Prometheus'
// format. Each route is given its Route when its chain is compiled: counting a
// request then costs a few atomic additions and no lookup by label.
//
// Labels are API, stage and route template as configured, never what clients
// send, so the configuration bounds how many series there are. Series survive
// a reload that keeps their route and vanish with it. A series appears with
// the first request that it counts.
package metrics

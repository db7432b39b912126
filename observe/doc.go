// Package observe sees every request from its head to its end: it gives it its
// place in a trace, counts it, prints its line of the access log and remembers
// it for `gatehouse explain`.
//
// The rooms inside do one of these each and know nothing of the others: trace,
// metrics, accesslog, recent. What outlives a reload is with the Keeper; what
// one configuration says is an Observer, a part of its snapshot.
package observe

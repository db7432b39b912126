// Package target holds what outlives a reload of a service's targets: the
// connections to each address, the addresses of names, and the health of both.
// Its Groups and Watches are entries of a keeper; they alone start goroutines.
package target

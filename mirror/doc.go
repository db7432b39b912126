// Package mirror sends copies of a route's requests to a second service, whose
// answers nobody gets. Whatever becomes of a copy, the request itself is neither
// slowed, blocked nor failed by it.
package mirror

// Package canary leads a part of a route's requests to a second release of what
// answers it: by a share of all, by a header or by a cookie.
package canary

// Package geo tells in which country an address is: by data that is part of the
// program, or by a database of the operator's own in MaxMind's format (MMDB), which
// may know regions too.
package geo

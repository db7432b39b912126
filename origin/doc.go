// Package origin is web origins: as an operator writes them, with wildcards, and
// as browsers send them (RFC 6454, Fetch standard).
package origin

// Package crs inspects requests and answers with the OWASP Core Rule Set: the
// rules are embedded, so is what they need.
package crs

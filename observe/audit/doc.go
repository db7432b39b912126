// Package audit writes down what administrators do and whom authentication
// refuses, so that a change of what was written shows.
//
// A log is a chain of lines of JSON in files that are only appended to: each
// line holds the SHA-256 of the one before it. A head beside it, signed with
// Ed25519, says how far the chain reached, so that one that was cut short shows
// too. Verify finds lines that were changed, left out, reordered or cut off by
// whoever does not have the signing key. Against who has it help heads that were
// noted elsewhere.
package audit

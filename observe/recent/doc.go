// Package recent remembers the last requests, so that `gatehouse explain` can
// say what became of one: every filter's decision, by which rule, from which
// line of configuration.
//
// What is remembered is copied: nothing of an Exchange, a credential's claims
// or an old configuration is held.
package recent

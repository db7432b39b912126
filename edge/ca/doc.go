// Package ca is the gateway's own certificate authority: one root, and below
// it an intermediate for each purpose, so that no certificate passes for
// another's:
//
//	purpose    key usage             names
//	listeners  server                any but *.gatehouse.internal
//	gateway    client                *.gateway.gatehouse.internal
//	services   server                *.services.gatehouse.internal
//	links      Gatehouse's own       *.links.gatehouse.internal
//
// Each intermediate may issue leaves only (path length 0) and is bound to its
// key usage and names, listeners' alone to addresses as well, so a verifier that
// knows the root alone tells them apart. Every leaf carries the URI spiffe://gatehouse/PURPOSE/NAME.
//
// Each authority is one file of the folder, its certificate and key together,
// so that there is never half a pair; written under another name, synced and
// then linked, so that it is there whole or not at all. Nothing that exists is
// overwritten but intermediates that have had their time.
package ca

// Package jwt authenticates callers by JSON Web Tokens (RFC 7519): signed ones
// in compact form (RFC 7515), as RFC 8725 recommends to verify them.
//
// A Verifier has one issuer, its audiences, and keys from a file, from a URL or
// from a secret. What a token says about where its keys are (jku, x5u, jwk,
// x5c) is never looked at; its algorithm must be among those that the
// configuration allows and be the one that the key is for. Tokens that were
// found good are remembered by a keyed hash of the whole token until they
// expire or their key goes.
package jwt

// Package basic knows callers by a name and a password (RFC 7617), of which the
// configuration has argon2id hashes.
package basic

// Package policy reads IAM policy documents and decides by them, as AWS does.
//
// A Document is what was written, in JSON or in YAML, checked strictly. A Policy
// is a Document compiled. Evaluate brings together all policies that concern one
// request and returns what they decide, with the statement that decided. It
// allocates nothing for the keys that the gateway itself fills, and everything
// that it is given is only read.
package policy

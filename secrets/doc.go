// Package secrets keeps the gateway's own secrets: small documents by names, in
// files below the data folder or in the state, and rings of keys among them that
// take turns.
package secrets

// Package live looks at services that answer, and writes a first configuration
// for a gateway before them.
package live

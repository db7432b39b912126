// Package promapi answers questions about metrics as Prometheus' HTTP API does, by
// Prometheus' own engine, within bounds.
package promapi

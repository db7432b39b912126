// Package kong reads Kong's declarative configuration (formats 1.1, 2.1 and 3.0,
// as kong.yaml and deck hold it) and writes what Gatehouse makes of it.
package kong

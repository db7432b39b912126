// Package bound keeps single requests, and how many of a route are under way at
// once, within limits.
package bound

//go:build race

package waf

// The race detector makes pools forget at random: allocations say nothing.
const raceDetector = true

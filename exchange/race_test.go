//go:build race

package exchange_test

// The race detector makes pools forget at random: allocations say nothing.
const raceDetector = true

//go:build race

package http1_test

// The race detector keeps memory of its own for every goroutine and makes pools
// forget at random: bytes say nothing.
const raceDetector = true

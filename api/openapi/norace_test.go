//go:build !race

package openapi

// raceDetector reports whether the tests run under the race detector.
const raceDetector = false

//go:build race

package authorize

// race says that the race detector is at work, under which pools forget.
const race = true

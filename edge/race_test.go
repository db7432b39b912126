//go:build race

package edge

// underRace is set where sync.Pool forgets at random, to find races.
const underRace = true

//go:build race

package observe

// underRace is set where sync.Pool forgets at random, to find races.
const underRace = true

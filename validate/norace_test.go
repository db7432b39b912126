//go:build !race

package validate

// raceEnabled says that pools lose things on purpose.
const raceEnabled = false

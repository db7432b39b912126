//go:build !race

package authorize

const race = false

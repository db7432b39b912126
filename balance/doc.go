// Package balance picks the target of a request, and knows which targets are
// healthy.
//
// A Picker chooses among targets: in turn, by the fewest requests in flight,
// or by a hash of something about the request. Picking takes no lock and
// allocates nothing. A Check watches one target by probing it; what it finds,
// and what requests find on the way, is the target's Health.
package balance

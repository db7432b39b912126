package exchange

// Variant is which of the two that a canary release makes of a route serves a
// request.
type Variant uint8

// The variants.
const (
	OneForAll Variant = iota // the route has no canary
	Stable
	Canary
)

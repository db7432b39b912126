package balance

// maxTurns bounds a schedule. Weights that need more are scaled down, the
// smallest kept at one turn.
const maxTurns = 1 << 12

// schedule returns an order in which each index stands as often as its weight
// says, spread as evenly as can be: smooth weighted round robin, run once.
// Indexes of weight 0 do not stand in it.
func schedule(weights []int) []uint16 {
	weights = scaled(weights)
	total := 0
	for _, w := range weights {
		total += w
	}
	out := make([]uint16, 0, total)
	credit := make([]int, len(weights))
	for range total {
		best := 0
		for i, w := range weights {
			credit[i] += w
			if credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= total
		out = append(out, uint16(best))
	}
	return out
}

// scaled divides weights by their greatest common divisor, and further until
// they fit a schedule.
func scaled(weights []int) []int {
	divisor, total := 0, 0
	for _, w := range weights {
		divisor = gcd(divisor, w)
		total += w
	}
	out := make([]int, len(weights))
	if divisor == 0 {
		return out
	}
	total /= divisor
	limit := max(maxTurns, len(weights))
	for i, w := range weights {
		out[i] = w / divisor
		if total > limit && w > 0 {
			out[i] = max(1, int(int64(out[i])*int64(limit)/int64(total)))
		}
	}
	return out
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

package config

import "strings"

// Nearest returns the known name that is most like name, or "" where none is
// near enough to be what was meant. Case counts for nothing, nor does it
// matter whether words are joined by - or by _.
func Nearest(name string, known []string) string {
	const longest = 100 // no name that was meant; the distance costs the product of both
	if name == "" || len(name) > longest {
		return ""
	}
	name = fold(name)
	best, bestDistance := "", len(name)/3+2
	for _, k := range known {
		if len(k) > longest {
			continue
		}
		if d := distance(name, fold(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

func fold(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), "_", "-")
}

// distance is the Damerau-Levenshtein distance (adjacent swaps count once).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

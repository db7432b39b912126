package guard

import (
	"errors"
	"strconv"
	"strings"

	"gatehouse/config"
)

// Percent is a share, above 0 and up to 1, that is written as 20%.
type Percent float64

// UnmarshalText reads "20%".
func (p *Percent) UnmarshalText(text []byte) error {
	number, ok := strings.CutSuffix(string(text), "%")
	v, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(v > 0 && v <= 100) {
		return errors.New("is no share: write a percentage above 0% and up to 100%, such as 20%")
	}
	*p = Percent(v / 100)
	return nil
}

// ConfigSchema implements config.Schemer.
func (Percent) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Pattern: "^[0-9]+([.][0-9]+)?%$"}
}

// Statuses are ranges of HTTP statuses.
type Statuses [][2]int

// IsZero reports whether there are none.
func (s Statuses) IsZero() bool { return len(s) == 0 }

// Has reports whether status is among them.
func (s Statuses) Has(status int) bool {
	for _, r := range s {
		if r[0] <= status && status <= r[1] {
			return true
		}
	}
	return false
}

// UnmarshalText reads "200", "200-399", "200,301-302".
func (s *Statuses) UnmarshalText(text []byte) error {
	*s = nil
	for part := range strings.SplitSeq(string(text), ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			high = low
		}
		a, err1 := strconv.Atoi(low)
		b, err2 := strconv.Atoi(high)
		if err1 != nil || err2 != nil || a < 100 || b > 599 || a > b {
			return errors.New("is no list of statuses: write 200, 200-399, or several by commas")
		}
		*s = append(*s, [2]int{a, b})
	}
	return nil
}

// ConfigSchema implements config.Schemer.
func (Statuses) ConfigSchema() *config.Schema {
	return &config.Schema{AnyOf: []*config.Schema{
		{Type: "integer"},
		{Type: "string", Pattern: "^[1-5][0-9][0-9](-[1-5][0-9][0-9])?( *, *[1-5][0-9][0-9](-[1-5][0-9][0-9])?)*$"},
	}}
}

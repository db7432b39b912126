package limit

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"gatehouse/config"
)

// Rate is how often something may happen: a number of times in a second,
// minute, hour or day. The zero Rate stands for none said.
type Rate struct {
	count float64
	unit  byte
}

// The bounds of a Rate, in times a second.
const (
	minRate = 1.0 / (366 * 24 * 60 * 60) // once a year
	maxRate = 1e6
)

// PerSecond returns the Rate of n times a second. It panics where n is not
// between once a year and a million.
func PerSecond(n float64) Rate {
	r := Rate{n, 's'}
	if r.check() != nil {
		panic("limit: rate out of range")
	}
	return r
}

// IsSet reports whether r is a rate at all.
func (r Rate) IsSet() bool { return r.unit != 0 }

// PerSecond returns how many times a second r is.
func (r Rate) PerSecond() float64 {
	if !r.IsSet() {
		return 0
	}
	return r.count / unitLength(r.unit).Seconds()
}

// DefaultBurst returns the burst of a limit that says none: the rate a second,
// rounded up, and at least 1.
func (r Rate) DefaultBurst() int {
	return max(1, int(math.Ceil(r.PerSecond())))
}

// String writes r as configurations do: "10/s".
func (r Rate) String() string {
	if !r.IsSet() {
		return ""
	}
	return strconv.FormatFloat(r.count, 'f', -1, 64) + "/" + string(r.unit)
}

// MarshalText is String.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

var (
	errRateForm  = errors.New("is no rate: write a number and a unit, such as 10/s, 600/m, 1000/h or 5/d")
	errRateRange = errors.New("is out of range: a rate is at least one a year and at most 1000000/s")
)

// UnmarshalText reads NUMBER/UNIT, the unit being s, m, h or d.
func (r *Rate) UnmarshalText(text []byte) error {
	number, unit, ok := strings.Cut(string(text), "/")
	if !ok || len(unit) != 1 || unitLength(unit[0]) == 0 || !isDecimal(number) {
		return errRateForm
	}
	count, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return errRateForm
	}
	read := Rate{count, unit[0]}
	if err := read.check(); err != nil {
		return err
	}
	*r = read
	return nil
}

// ConfigSchema implements config.Schemer.
func (Rate) ConfigSchema() *config.Schema {
	return &config.Schema{
		Type: "string", Pattern: `^[0-9]+(\.[0-9]+)?/[smhd]$`,
		Description: "a rate: a number of times in a second, minute, hour or day",
		Examples:    []any{"10/s", "600/m", "1000/h", "5/d"},
	}
}

func (r Rate) check() error {
	if n := r.PerSecond(); !(n >= minRate && n <= maxRate) {
		return errRateRange
	}
	return nil
}

func unitLength(unit byte) time.Duration {
	switch unit {
	case 's':
		return time.Second
	case 'm':
		return time.Minute
	case 'h':
		return time.Hour
	case 'd':
		return 24 * time.Hour
	}
	return 0
}

// isDecimal reports whether s is digits, or digits, a point and digits. Signs,
// exponents and the other forms that Go reads are no rates.
func isDecimal(s string) bool {
	whole, fraction, point := strings.Cut(s, ".")
	return isDigits(whole) && (!point || isDigits(fraction))
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time, written as Go writes it ("1m30s", "250ms")
// with "d" for days as well. Never negative in a configuration.
type Duration time.Duration

// D returns d as a time.Duration.
func (d Duration) D() time.Duration { return time.Duration(d) }

// durationUnits are the units of a Duration, the largest first.
func durationUnits() []unit {
	return []unit{
		{"d", 24 * int64(time.Hour)}, {"h", int64(time.Hour)}, {"m", int64(time.Minute)}, {"s", int64(time.Second)},
		{"ms", int64(time.Millisecond)}, {"us", int64(time.Microsecond)}, {"ns", 1},
	}
}

// unit is a unit of a quantity and how many of the smallest one it is.
type unit struct {
	name string
	of   int64
}

// String prints d the way a configuration writes it, without units that are
// nought: "1d12h", "1m30s", "250ms", "0s".
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	rest := uint64(d)
	if d < 0 {
		b.WriteByte('-')
		rest = -rest
	}
	for _, u := range durationUnits() {
		if n := rest / uint64(u.of); n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			rest %= uint64(u.of)
		}
	}
	return b.String()
}

// MarshalText prints d as String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the forms that Duration's own comment names.
func (d *Duration) UnmarshalText(text []byte) error {
	rest, total := string(text), int64(0)
	if rest == "0" {
		*d = 0
		return nil
	}
	if rest == "" {
		return errDuration
	}
	if rest[0] == '-' {
		return hintError("a duration is never negative")
	}
	for rest != "" {
		part, after, err := durationPart(rest)
		if err != nil {
			return err
		}
		if total > math.MaxInt64-part {
			return errDurationLong
		}
		total, rest = total+part, after
	}
	*d = Duration(total)
	return nil
}

const (
	errDuration     = hintError("the units are d, h, m, s, ms, us and ns")
	errDurationLong = hintError("the longest duration is 106751d")
)

// durationPart takes one number with its unit off s. The number may have a
// fraction, as in 1.5h.
func durationPart(s string) (part int64, rest string, err error) {
	digits := len(s) - len(strings.TrimLeft(s, "0123456789."))
	letters := len(s[digits:]) - len(strings.TrimLeft(s[digits:], "dhmsnuµ"))
	number, name, rest := s[:digits], s[digits:digits+letters], s[digits+letters:]
	if name == "µs" {
		name = "us"
	}
	if name == "" && rest == "" && number != "" {
		return 0, "", hintError("say of what: " + number + "s, or " + number + "ms")
	}
	for _, u := range durationUnits() {
		if u.name == name {
			part, err = times(number, u.of)
			return part, rest, err
		}
	}
	return 0, "", errDuration
}

// times returns number, a decimal, times the unit.
func times(number string, of int64) (int64, error) {
	whole, fraction, fractional := strings.Cut(number, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, errDuration
	}
	if err != nil || n > math.MaxInt64/of {
		return 0, errDurationLong
	}
	n *= of
	if !fractional {
		return n, nil
	}
	if fraction == "" || strings.Trim(fraction, "0123456789") != "" {
		return 0, errDuration
	}
	// The parts of a unit, digit by digit, so that no float rounds them.
	for _, digit := range fraction {
		if of /= 10; of == 0 {
			break
		}
		if n > math.MaxInt64-of*int64(digit-'0') {
			return 0, errDurationLong
		}
		n += of * int64(digit-'0')
	}
	return n, nil
}

// ConfigSchema implements Schemer.
func (Duration) ConfigSchema() *Schema {
	return &Schema{AnyOf: []*Schema{
		{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(d|h|m|s|ms|us|µs|ns))+$`, Examples: []any{"250ms", "1m30s", "2d"}},
		{Enum: []any{0, "0"}},
	}}
}

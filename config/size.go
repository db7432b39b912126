package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written "512", "64KiB", "10MiB", "1GiB" (powers
// of 1024) or "10kB", "10MB" (powers of 1000). Never negative.
type Size int64

// sizeUnits are the units of a Size: those of 1024, then those of 1000, the
// largest first.
func sizeUnits() []unit {
	return []unit{
		{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3},
		{"B", 1}, {"", 1},
	}
}

// String prints s in the largest unit that leaves no fraction.
func (s Size) String() string {
	if s == 0 {
		return "0"
	}
	for _, u := range sizeUnits() {
		if u.of > 1 && int64(s)%u.of == 0 {
			return fmt.Sprintf("%d%s", int64(s)/u.of, u.name)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText prints s as String does.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the forms that Size's own comment names.
func (s *Size) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(string(text), "BKMGTikmgtb")
	name := string(text[len(digits):])
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return hintError("a size is a whole number, with or without a unit")
	}
	for _, u := range sizeUnits() {
		if u.name != name {
			continue
		}
		if err != nil || n > uint64(math.MaxInt64/u.of) {
			return hintError("a size is less than 8388608TiB")
		}
		*s = Size(int64(n) * u.of)
		return nil
	}
	return hintError("KiB, MiB, GiB and TiB count by 1024, kB, MB, GB and TB by 1000")
}

// ConfigSchema implements Schemer.
func (Size) ConfigSchema() *Schema {
	zero := 0.0
	return &Schema{AnyOf: []*Schema{
		{Type: "integer", Minimum: &zero},
		{Type: "string", Pattern: `^[0-9]+(KiB|MiB|GiB|TiB|kB|MB|GB|TB|B)?$`, Examples: []any{"64KiB", "10MB"}},
	}}
}

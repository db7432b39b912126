package nginx

import (
	"strconv"
	"strings"
	"time"
)

// parseSize reads 10, 8k, 1m or 1g.
func parseSize(s string) (int64, bool) {
	unit := int64(1)
	if s == "" {
		return 0, false
	}
	switch s[len(s)-1] {
	case 'k', 'K':
		unit = 1 << 10
	case 'm', 'M':
		unit = 1 << 20
	case 'g', 'G':
		unit = 1 << 30
	}
	if unit > 1 {
		s = s[:len(s)-1]
	}
	n, err := strconv.ParseInt(s, 10, 40)
	if err != nil || n < 0 {
		return 0, false
	}
	return n * unit, true
}

// sizeText writes a size as Gatehouse reads it.
func sizeText(n int64) string {
	for _, u := range []struct {
		name string
		of   int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.of && n%u.of == 0 {
			return strconv.FormatInt(n/u.of, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// parseTime reads 30, 30s, 1m, 1h30m, 500ms, 1d.
func parseTime(s string) (time.Duration, bool) {
	var total time.Duration
	seen := false
	for s = strings.ReplaceAll(s, " ", ""); s != ""; seen = true {
		digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
		if digits == 0 || digits > 9 {
			return 0, false
		}
		n, _ := strconv.ParseInt(s[:digits], 10, 64)
		s = s[digits:]
		unit := time.Second
		for _, u := range []struct {
			name string
			of   time.Duration
		}{{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}, {"w", 7 * 24 * time.Hour}, {"M", 30 * 24 * time.Hour}, {"y", 365 * 24 * time.Hour}} {
			if rest, ok := strings.CutPrefix(s, u.name); ok {
				unit, s = u.of, rest
				break
			}
		}
		if total += time.Duration(n) * unit; total < 0 || total > 10*365*24*time.Hour {
			return 0, false
		}
	}
	return total, seen
}

// timeText writes a duration as Gatehouse reads it.
func timeText(d time.Duration) string {
	switch {
	case d >= 24*time.Hour && d%(24*time.Hour) == 0:
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + "d"
	case d%time.Second != 0:
		return strconv.FormatInt(int64(d/time.Millisecond), 10) + "ms"
	case d >= time.Hour && d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d >= time.Minute && d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}

// parseRate reads 10r/s or 30r/m.
func parseRate(s string) (string, bool) {
	text, per, ok := strings.Cut(s, "r/")
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || !ok || per != "s" && per != "m" || n == 0 || n > 1_000_000 {
		return "", false
	}
	return strconv.FormatUint(n, 10) + "/" + per, true
}

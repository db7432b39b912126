package promapi

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// maxForm bounds the body of a question.
const maxForm = 1 << 20

// maxTime keeps times within what the engine counts in, milliseconds.
const maxTime = float64(math.MaxInt64 / 1_000_000 / 1000)

// readTime reads a parameter as Prometheus does: seconds since 1970, or RFC 3339.
func readTime(r *http.Request, name string, fallback time.Time) (time.Time, error) {
	text := r.FormValue(name)
	if text == "" {
		return fallback, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(seconds) || math.Abs(seconds) > maxTime {
			return time.Time{}, bad("invalid parameter %q: cannot parse %q to a valid timestamp", name, text)
		}
		whole, part := math.Modf(seconds)
		return time.Unix(int64(whole), int64(math.Round(part*1000))*int64(time.Millisecond)).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || math.Abs(float64(t.Unix())) > maxTime {
		return time.Time{}, bad("invalid parameter %q: cannot parse %q to a valid timestamp", name, text)
	}
	return t, nil
}

// needTime is readTime of a parameter that must be there.
func needTime(r *http.Request, name string) (time.Time, error) {
	if r.FormValue(name) == "" {
		return time.Time{}, bad("invalid parameter %q: cannot parse %q to a valid timestamp", name, "")
	}
	return readTime(r, name, time.Time{})
}

// readDuration reads a parameter as Prometheus does: seconds, or 1h30m; fallback where
// it is not there.
func readDuration(r *http.Request, name string, fallback time.Duration) (time.Duration, error) {
	text := r.FormValue(name)
	if text == "" {
		return fallback, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		ns := seconds * float64(time.Second)
		if math.IsNaN(ns) || math.Abs(ns) > math.MaxInt64/2 {
			return 0, bad("invalid parameter %q: cannot parse %q to a valid duration. It overflows int64", name, text)
		}
		return time.Duration(ns), nil
	}
	d, err := model.ParseDuration(text)
	if err != nil {
		return 0, bad("invalid parameter %q: cannot parse %q to a valid duration", name, text)
	}
	return time.Duration(d), nil
}

// readLimit reads how many are wanted at most; 0 for all.
func readLimit(r *http.Request) (int, error) {
	text := r.FormValue("limit")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, bad("invalid parameter \"limit\": %q is no number of 0 or more", text)
	}
	return n, nil
}

// maxMatchers bounds how many selections one question has.
const maxMatchers = 100

// selections reads match[].
func (a *API) selections(r *http.Request) ([][]*labels.Matcher, error) {
	texts := r.Form["match[]"]
	if len(texts) > maxMatchers {
		return nil, bad("invalid parameter \"match[]\": %d selections, at most %d", len(texts), maxMatchers)
	}
	var out [][]*labels.Matcher
	for _, text := range texts {
		m, err := a.parser.ParseMetricSelector(text)
		if err != nil {
			return nil, bad("invalid parameter \"match[]\": %v", err)
		}
		if !selective(m) {
			return nil, bad("invalid parameter \"match[]\": match[] must contain at least one non-empty matcher")
		}
		out = append(out, m)
	}
	return out, nil
}

// selective reports whether matchers say anything of what they match.
func selective(all []*labels.Matcher) bool {
	for _, m := range all {
		if !m.Matches("") {
			return true
		}
	}
	return false
}

package policy

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// checkOperand says what is wrong with a value of a policy that is no pattern;
// "" where nothing is.
func checkOperand(op operator, text string) string {
	ok, want := true, ""
	switch op.compare {
	case compareNumber:
		_, ok = parseDecimal(text)
		want = "is no number such as 10 or 2.5"
	case compareDate:
		_, ok = parseDate(text)
		want = "is no date such as 2026-01-31T00:00:00Z, nor seconds since 1970"
	case compareBool, compareNull:
		_, ok = parseTruth(text)
		want = "is neither true nor false"
	case compareBinary:
		_, err := base64.StdEncoding.DecodeString(text)
		ok, want = err == nil, "is no base64"
	case compareIP:
		_, ok = parseNet(text)
		want = "is no address or range such as 192.0.2.0/24 or 2001:db8::/32"
	}
	if ok {
		return ""
	}
	return want
}

func parseTruth(text string) (value, ok bool) {
	switch {
	case strings.EqualFold(text, "true"):
		return true, true
	case strings.EqualFold(text, "false"):
		return false, true
	}
	return false, false
}

// parseNet reads an address or a range; bits beyond a range's length do not
// count.
func parseNet(text string) (netip.Prefix, bool) {
	if !strings.Contains(text, "/") {
		a, ok := parseAddr(text)
		return netip.PrefixFrom(a, a.BitLen()), ok
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, false
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return p, false
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

func parseAddr(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	return a.Unmap(), err == nil && a.Zone() == ""
}

// dateForms are those of the W3C note on dates, the shortest first.
var dateForms = []string{"2006", "2006-01", "2006-01-02", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z07:00"}

// parseDate reads ISO 8601 or seconds since 1970; four digits are a year.
func parseDate(text string) (time.Time, bool) {
	for _, form := range dateForms {
		if t, err := time.Parse(form, text); err == nil {
			return t, true
		}
	}
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || len(digits) > 12 || strings.Trim(digits, "0123456789") != "" {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0), err == nil
}

// decimal is a number as it is written, so that none is rounded: without
// leading zeros, and without those at the end of its fraction.
type decimal struct {
	negative bool
	whole    string
	fraction string
}

// maxDigits is how many digits a number may have.
const maxDigits = 64

// parseDecimal reads an optional sign, digits, and a fraction. It allocates
// nothing.
func parseDecimal(text string) (decimal, bool) {
	var d decimal
	digits := text
	if strings.HasPrefix(text, "-") || strings.HasPrefix(text, "+") {
		d.negative, digits = text[0] == '-', text[1:]
	}
	whole, fraction, dotted := strings.Cut(digits, ".")
	if whole == "" || dotted && fraction == "" || len(digits) > maxDigits || !isDigits(whole) || !isDigits(fraction) {
		return d, false
	}
	d.whole, d.fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	d.negative = d.negative && (d.whole != "" || d.fraction != "")
	return d, true
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// compare returns -1, 0 or 1.
func (d decimal) compare(o decimal) int {
	if d.negative != o.negative {
		if d.negative {
			return -1
		}
		return 1
	}
	out := len(d.whole) - len(o.whole)
	if out == 0 {
		out = strings.Compare(d.whole, o.whole)
	}
	if out == 0 {
		out = strings.Compare(d.fraction, o.fraction)
	}
	if d.negative {
		out = -out
	}
	return min(max(out, -1), 1)
}

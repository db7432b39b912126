package accesslog

import (
	"time"

	"gatehouse/exchange"
)

// Record is what a line is printed from: the Exchange of a request that has
// ended, and what is known only beside it.
type Record struct {
	*exchange.Exchange
	UserAgent string
	Latency   time.Duration
	Account   string
}

// appendTime appends t in UTC as RFC 3339 writes it, with milliseconds.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	ms := t.Nanosecond() / 1e6
	b = append(twoDigits(twoDigits(b, year/100), year%100), '-')
	b = append(twoDigits(b, int(month)), '-')
	b = append(twoDigits(b, day), 'T')
	b = append(twoDigits(b, hour), ':')
	b = append(twoDigits(b, minute), ':')
	b = append(twoDigits(b, second), '.')
	return append(threeDigits(b, ms), 'Z')
}

func twoDigits(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

func threeDigits(b []byte, n int) []byte {
	return append(b, byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
}

// appendMillis appends d in milliseconds with three decimals, cut off.
func appendMillis(b []byte, d time.Duration) []byte {
	us := max(d.Microseconds(), 0)
	b = append(appendInt(b, us/1000), '.')
	return threeDigits(b, int(us%1000))
}

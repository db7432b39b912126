package respond

import (
	"net/url"
	"strconv"
	"strings"

	"gatehouse/exchange"
)

// maxValue bounds what a client can make one variable bring.
const maxValue = 1 << 10

func clip(s string) string {
	if len(s) > maxValue {
		return s[:maxValue]
	}
	return s
}

// first returns the first value of a query parameter, decoded; "" where it has
// none that can be.
func first(q, name string) string {
	for part := range strings.SplitSeq(q, "&") {
		key, value, _ := strings.Cut(part, "=")
		if key, err := url.QueryUnescape(key); err != nil || key != name {
			continue
		}
		value, _ = url.QueryUnescape(value)
		return value
	}
	return ""
}

// appendStatus appends the status that is sent.
func appendStatus(b []byte, own int, x *exchange.Exchange) []byte {
	if own == 0 {
		own = x.Refused.Status
	}
	return strconv.AppendInt(b, int64(own), 10)
}

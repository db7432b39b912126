package validate

import (
	"strings"
	"unicode/utf8"

	"gatehouse/exchange"
)

func maybeDecoded(s string, encoded bool) (string, bool) {
	if !encoded {
		return s, utf8.ValidString(s)
	}
	return decoded(s)
}

// decoded undoes the encoding of a name or value of a query or form: "+" is a
// space, %XX a byte. It reports false for what is encoded wrongly, or no UTF-8.
func decoded(s string) (string, bool) {
	if !strings.ContainsAny(s, "%+") {
		return s, utf8.ValidString(s)
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '+':
			b = append(b, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", false
			}
			plain, ok := exchange.Unhex(s[i+1], s[i+2])
			if !ok {
				return "", false
			}
			b = append(b, plain)
			i += 2
		default:
			b = append(b, c)
		}
	}
	return string(b), utf8.Valid(b)
}

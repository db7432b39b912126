package event

import (
	"strconv"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendText appends s as a JSON string. What is no UTF-8 becomes U+FFFD, as
// encoding/json has it.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	b = appendEscaped(b, s)
	return append(b, '"')
}

func appendEscaped[T string | []byte](b []byte, s T) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			size := runeLength(s, i)
			if size > 0 {
				i += size
				continue
			}
			b = append(b, s[start:i]...)
			b = append(b, `\ufffd`...)
			i++
			start = i
			continue
		}
		b = append(b, s[start:i]...)
		b = appendControl(b, c)
		i++
		start = i
	}
	return append(b, s[start:]...)
}

// runeLength returns how many bytes the character at i has; 0 where there is none.
func runeLength[T string | []byte](s T, i int) int {
	end := min(len(s), i+utf8.UTFMax)
	r, size := utf8.DecodeRuneInString(string(s[i:end]))
	if r == utf8.RuneError && size <= 1 {
		return 0
	}
	return size
}

func appendControl(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// appendKey appends a comma where a member stands before, the key, and a colon.
// The key needs no escaping.
func appendKey(b []byte, key string) []byte {
	if n := len(b); n > 0 && b[n-1] != '{' && b[n-1] != '[' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, key...)
	return append(b, '"', ':')
}

func appendMember(b []byte, key, value string) []byte {
	return appendText(appendKey(b, key), value)
}

// appendOr appends value, or null where there is none.
func appendOr(b []byte, key, value string) []byte {
	if value == "" {
		return append(appendKey(b, key), "null"...)
	}
	return appendMember(b, key, value)
}

func appendNumber(b []byte, key string, n int64) []byte {
	return strconv.AppendInt(appendKey(b, key), n, 10)
}

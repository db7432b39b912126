// Package escape appends what clients sent to lines that people and programs
// read, so that nobody forges a line, ends a JSON string or drives a terminal.
//
// Control bytes, DEL, invalid UTF-8 and everything that does not print (C1
// controls, line separators, bidirectional overrides) are written as escapes.
package escape

import (
	"unicode"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// JSON appends s as the inside of a JSON string (RFC 8259), without quotes.
// Invalid UTF-8 becomes U+FFFD.
func JSON(b []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		if i+8 <= len(s) && harmless(s[i:i+8]) {
			i += 8
			continue
		}
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			b = jsonByte(b, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || !unicode.IsPrint(r) {
			b = append(b, s[start:i]...)
			b = jsonRune(b, r)
			start = i + size
		}
		i += size
	}
	return append(b, s[start:]...)
}

// harmless reports whether eight bytes are all printable ASCII other than quotes
// and backslashes: most of what is logged is, and is looked at in one go.
func harmless(s string) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	_ = s[7]
	w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	// A byte of x-ones borrows into its top bit where the byte of x is zero.
	quote, slash, del := w^ones*'"', w^ones*'\\', w^ones*0x7f
	low := (w - ones*0x20) &^ w
	zero := (quote-ones)&^quote | (slash-ones)&^slash | (del-ones)&^del
	return (w|low|zero)&tops == 0
}

func jsonByte(b []byte, c byte) []byte {
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

// jsonRune writes code points above the basic plane as a surrogate pair.
func jsonRune(b []byte, r rune) []byte {
	if r > 0xffff {
		r -= 0x10000
		b = jsonRune(b, 0xd800+(r>>10))
		return jsonRune(b, 0xdc00+(r&0x3ff))
	}
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// Plain appends s to a line of plain text, fit to stand between double quotes:
// quotes and backslashes get a backslash, what does not print becomes \xNN,
// byte by byte.
func Plain(b []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		if i+8 <= len(s) && harmless(s[i:i+8]) {
			i += 8
			continue
		}
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			b = plainByte(b, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || !unicode.IsPrint(r) {
			b = append(b, s[start:i]...)
			for _, c := range []byte(s[i : i+size]) {
				b = hexByte(b, c)
			}
			start = i + size
		}
		i += size
	}
	return append(b, s[start:]...)
}

func plainByte(b []byte, c byte) []byte {
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
	return hexByte(b, c)
}

func hexByte(b []byte, c byte) []byte {
	return append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
}

// Func is JSON, Plain, or Raw.
type Func func(b []byte, s string) []byte

// Raw appends s as it is, for what is escaped when it is printed.
func Raw(b []byte, s string) []byte { return append(b, s...) }

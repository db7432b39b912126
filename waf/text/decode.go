package text

import (
	"encoding/base64"
	"html"
	"strings"
	"unicode/utf8"
)

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// hexAt reads n hexadecimal digits at i.
func hexAt(s string, i, n int) (v int, ok bool) {
	if i+n > len(s) {
		return 0, false
	}
	for _, c := range []byte(s[i : i+n]) {
		d, ok := unhex(c)
		if !ok {
			return 0, false
		}
		v = v<<4 | int(d)
	}
	return v, true
}

// narrow makes a byte of a code unit as IIS does: full-width ASCII (FF01 to FF5E)
// becomes ASCII, of all others the lower byte stays.
func narrow(v int) byte {
	if v >= 0xff01 && v <= 0xff5e {
		return byte(v) + 0x20
	}
	return byte(v)
}

// urlDecode undoes percent encoding, and "+" for a space; with uni also IIS's
// %uHHHH.
func urlDecode(s string, uni bool) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+':
			b = append(b, ' ')
			continue
		case c != '%':
			b = append(b, c)
			continue
		}
		if uni && i+1 < len(s) && (s[i+1] == 'u' || s[i+1] == 'U') {
			if v, ok := hexAt(s, i+2, 4); ok {
				b = append(b, narrow(v))
				i += 5
				continue
			}
		}
		if v, ok := hexAt(s, i+1, 2); ok {
			b = append(b, byte(v))
			i += 2
			continue
		}
		b = append(b, c)
	}
	return same(s, b)
}

// hexDecode reads pairs of hexadecimal digits, and leaves a text that is anything
// else as it is.
func hexDecode(s string) string {
	if len(s) < 2 || len(s)%2 != 0 {
		return s
	}
	b := make([]byte, 0, len(s)/2)
	for i := 0; i < len(s); i += 2 {
		v, ok := hexAt(s, i, 2)
		if !ok {
			return s
		}
		b = append(b, byte(v))
	}
	return string(b)
}

// sqlHexDecode makes text of SQL's hexadecimal literals: 0x414243 is ABC.
func sqlHexDecode(s string) string {
	if !strings.Contains(s, "0x") && !strings.Contains(s, "0X") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] == '0' && i+1 < len(s) && s[i+1]|0x20 == 'x' {
			at := i + 2
			for v, ok := hexAt(s, at, 2); ok; v, ok = hexAt(s, at, 2) {
				b = append(b, byte(v))
				at += 2
			}
			if at > i+2 {
				i = at
				continue
			}
		}
		b = append(b, s[i])
		i++
	}
	return same(s, b)
}

// base64Decode decodes the standard alphabet. The forgiving form passes over what
// does not belong to it; the other decodes as far as it does. A text of which
// nothing can be decoded stays.
func base64Decode(s string, forgiving bool) string {
	clean := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if isBase64(s[i]) {
			clean = append(clean, s[i])
			continue
		}
		if !forgiving && !isBlank(s[i]) {
			break // lines of encoded text may be broken anywhere
		}
	}
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, _ := base64.RawStdEncoding.Decode(out, clean)
	if n == 0 {
		return s
	}
	return string(out[:n])
}

func isBase64(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '+', c == '/':
		return true
	}
	return false
}

// htmlEntityDecode undoes HTML's references, by name and by number. Numbers up
// to 255 become one byte, as AWS WAF has it: &nbsp; is byte 160.
func htmlEntityDecode(s string) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] == '&' {
			if text, n := entity(s[i:]); n > 0 {
				b = append(b, text...)
				i += n
				continue
			}
		}
		b = append(b, s[i])
		i++
	}
	return same(s, b)
}

// maxEntity is the length of the longest name that HTML knows, with & and ;.
const maxEntity = 33

// entity decodes the reference that s begins with, and returns its length; 0
// where it begins with none.
func entity(s string) (text string, n int) {
	if len(s) > 2 && s[1] == '#' {
		return numeric(s)
	}
	end := 1
	for end < len(s) && end < maxEntity && isAlphanumeric(s[end]) {
		end++
	}
	if end == 1 {
		return "", 0
	}
	if end < len(s) && s[end] == ';' {
		end++
	}
	whole := s[:end]
	decoded := html.UnescapeString(whole)
	if decoded == whole {
		return "", 0
	}
	if r, size := utf8.DecodeRuneInString(decoded); r >= 0x80 && r < 0x100 {
		decoded = string([]byte{byte(r)}) + decoded[size:]
	}
	return decoded, end
}

func numeric(s string) (text string, n int) {
	at, base := 2, 10
	if s[2]|0x20 == 'x' {
		at, base = 3, 16
	}
	v, first := 0, at
	for ; at < len(s); at++ {
		d, ok := unhex(s[at])
		if !ok || int(d) >= base {
			break
		}
		v = min(v*base+int(d), utf8.MaxRune+1)
	}
	if at == first {
		return "", 0
	}
	if at < len(s) && s[at] == ';' {
		at++
	}
	if v < 0x100 {
		return string([]byte{byte(v)}), at
	}
	return string(rune(v)), at
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// utf8ToUnicode writes every character beyond ASCII as %uHHHH, so that patterns
// see the character rather than its bytes.
func utf8ToUnicode(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] < 0x80
	}
	if plain {
		return s
	}
	const digits = "0123456789abcdef"
	b := make([]byte, 0, 2*len(s))
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r < 0x80 || r == utf8.RuneError && n <= 1 {
			b = append(b, s[i])
			i++
			continue
		}
		b = append(b, '%', 'u')
		if r > 0xffff {
			b = append(b, digits[r>>20&15], digits[r>>16&15])
		}
		b = append(b, digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
		i += n
	}
	return string(b)
}

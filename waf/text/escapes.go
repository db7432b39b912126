package text

import "strings"

// escapeSeqDecode undoes C's escapes: \a \b \f \n \r \t \v \\ \? \' \" \xHH and
// \OOO. What is no escape stays.
func escapeSeqDecode(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] == '\\' {
			if c, n := escape(s[i:]); n > 0 {
				b = append(b, c)
				i += n
				continue
			}
		}
		b = append(b, s[i])
		i++
	}
	return same(s, b)
}

// escape decodes the escape that s begins with; n is 0 where it is none.
func escape(s string) (c byte, n int) {
	if len(s) < 2 {
		return 0, 0
	}
	if i := strings.IndexByte(`abfnrtv\?'"`, s[1]); i >= 0 {
		return "\a\b\f\n\r\t\v\\?'\""[i], 2
	}
	if s[1] == 'x' || s[1] == 'X' {
		if v, ok := hexAt(s, 2, 2); ok {
			return byte(v), 4
		}
		return 0, 0
	}
	return octal(s)
}

// octal decodes up to three octal digits behind a backslash.
func octal(s string) (c byte, n int) {
	v := 0
	for n = 1; n < len(s) && n < 4 && s[n] >= '0' && s[n] <= '7'; n++ {
		v = v<<3 | int(s[n]-'0')
	}
	if n == 1 {
		return 0, 0
	}
	return byte(v), n
}

// jsDecode undoes JavaScript's escapes: \uHHHH as narrow says, \xHH, \OOO, those
// of C, and a backslash before anything else, which stands for that.
func jsDecode(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			i++
			continue
		}
		c, n := jsEscape(s[i:])
		b = append(b, c)
		i += n
	}
	return same(s, b)
}

func jsEscape(s string) (c byte, n int) {
	switch s[1] {
	case 'u':
		if v, ok := hexAt(s, 2, 4); ok {
			return narrow(v), 6
		}
		if v, n, ok := braced(s); ok {
			return narrow(v), n
		}
	case 'x':
		if v, ok := hexAt(s, 2, 2); ok {
			return byte(v), 4
		}
	case 'a', 'b', 'f', 'n', 'r', 't', 'v':
		return escape(s)
	}
	if c, n := octal(s); n > 0 {
		return c, n
	}
	return s[1], 2
}

// braced reads \u{H...}, of up to six digits.
func braced(s string) (v, n int, ok bool) {
	if len(s) < 4 || s[2] != '{' {
		return 0, 0, false
	}
	for n = 3; n < len(s) && n < 10; n++ {
		if s[n] == '}' && n > 3 {
			return v, n + 1, true
		}
		d, ok := unhex(s[n])
		if !ok {
			break
		}
		v = v<<4 | int(d)
	}
	return 0, 0, false
}

// cssDecode undoes the escapes of CSS 2: up to six hexadecimal digits, of which
// the last two count, and one white space behind them; a line break behind a
// backslash goes; before anything else the backslash goes: ja\vascript is
// javascript.
func cssDecode(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 == len(s) {
			if s[i] != '\\' { // one at the end stands for nothing
				b = append(b, s[i])
			}
			i++
			continue
		}
		i++
		digits := 0
		for digits < 6 && i+digits < len(s) && isHex(s[i+digits]) {
			digits++
		}
		switch {
		case digits > 0:
			b = append(b, cssByte(s[i:i+digits]))
			if i += digits; i < len(s) && isBlank(s[i]) {
				i++
			}
		case s[i] == '\n':
			i++
		default:
			b = append(b, s[i])
			i++
		}
	}
	return same(s, b)
}

func isHex(c byte) bool {
	_, ok := unhex(c)
	return ok
}

// cssByte is the byte that an escape's digits stand for.
func cssByte(digits string) byte {
	v, _ := hexAt(digits, 0, len(digits))
	return narrow(v)
}

package text

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"strings"
	"unicode/utf8"
)

// blanks are what C's isspace takes for white space.
const blanks = " \f\t\n\r\v"

func isBlank(c byte) bool { return strings.IndexByte(blanks, c) >= 0 }

// nbsp is the non-breaking space of Latin-1, byte 160.
const nbsp = 0xa0

// compressWhiteSpace makes one space of every run of white space, the
// non-breaking space included, as one byte and in UTF-8.
func compressWhiteSpace(s string) string {
	if !needsCompression(s) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		n, white := unit(s[i:])
		switch {
		case !white:
			b = append(b, s[i:i+n]...)
		case len(b) == 0 || b[len(b)-1] != ' ':
			b = append(b, ' ')
		}
		i += n
	}
	return same(s, b)
}

// unit returns the length of the character that s begins with, and whether it is
// white space.
func unit(s string) (n int, white bool) {
	if s[0] < 0x80 {
		return 1, isBlank(s[0])
	}
	r, n := utf8.DecodeRuneInString(s)
	return n, r == nbsp || n == 1 && s[0] == nbsp
}

func needsCompression(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != ' ' && (isBlank(c) || c == nbsp) || c == ' ' && i > 0 && s[i-1] == ' ' {
			return true
		}
	}
	return false
}

func removeWhiteSpace(s string) string {
	if !strings.ContainsAny(s, blanks) && strings.IndexByte(s, nbsp) < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		n, white := unit(s[i:])
		if !white {
			b = append(b, s[i:i+n]...)
		}
		i += n
	}
	return same(s, b)
}

// lowercase concerns ASCII alone: no service takes a Kelvin sign for a k before
// it has decoded the text.
func lowercase(s string) string {
	return mapped(s, func(c byte) byte {
		if 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	})
}

func uppercase(s string) string {
	return mapped(s, func(c byte) byte {
		if 'a' <= c && c <= 'z' {
			return c - ('a' - 'A')
		}
		return c
	})
}

func mapped(s string, f func(byte) byte) string {
	for i := 0; i < len(s); i++ {
		if f(s[i]) == s[i] {
			continue
		}
		b := []byte(s)
		for ; i < len(b); i++ {
			b[i] = f(b[i])
		}
		return string(b)
	}
	return s
}

// cmdLine undoes what shells do not mind: it deletes \ " ' ^, deletes spaces
// before / and (, makes spaces of commas and semicolons, one of several, and
// small letters of capitals.
func cmdLine(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\', '"', '\'', '^':
		case ' ', ',', ';', '\t', '\r', '\n':
			if len(b) == 0 || b[len(b)-1] != ' ' {
				b = append(b, ' ')
			}
		case '/', '(':
			if n := len(b); n > 0 && b[n-1] == ' ' {
				b = b[:n-1]
			}
			b = append(b, c)
		default:
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			b = append(b, c)
		}
	}
	return same(s, b)
}

// replaceComments makes one space of every C comment, and of one that does not
// end. Several in a row become as many spaces; an end without a beginning stays.
func replaceComments(s string) string {
	at := strings.Index(s, "/*")
	if at < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for at >= 0 {
		b = append(append(b, s[:at]...), ' ')
		end := strings.Index(s[at+2:], "*/")
		if end < 0 {
			return string(b)
		}
		s = s[at+2+end+2:]
		at = strings.Index(s, "/*")
	}
	return string(append(b, s...))
}

func md5Sum(s string) string {
	sum := md5.Sum([]byte(s))
	return string(sum[:])
}

func sha256Sum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return string(sum[:])
}

// normalizePath removes empty segments, "." and each ".." with the segment
// before it. Those at the beginning stay, as far as there is nothing to go back
// over; below "/" they go, since nothing is above it.
func normalizePath(s string) string {
	if s == "" || !strings.Contains(s, "//") && !strings.Contains(s, "/.") && !strings.HasPrefix(s, "./") && s != "." {
		return s
	}
	rooted := s[0] == '/'
	b := make([]byte, 0, len(s))
	if rooted {
		b = append(b, '/')
	}
	root := len(b)
	floor := root // what ".." cannot take back ends here
	open := false // the last segment was taken away, or ended in "/"
	for rest := s; rest != ""; {
		segment, after, more := strings.Cut(rest, "/")
		rest, open = after, more
		switch {
		case segment == "" || segment == ".":
		case segment == ".." && len(b) > floor:
			cut := bytes.LastIndexByte(b[floor:len(b)-1], '/')
			b = b[:floor+cut+1]
			open = true
		case segment == ".." && rooted:
		default:
			b = append(append(b, segment...), '/')
			if segment == ".." {
				floor = len(b)
			}
		}
	}
	if n := len(b); n > root && !open && b[n-1] == '/' && !strings.HasSuffix(s, "/.") {
		b = b[:n-1]
	}
	return same(s, b)
}

// same returns b as a string: s, where it is that.
func same(s string, b []byte) string {
	if string(b) == s {
		return s
	}
	return string(b)
}

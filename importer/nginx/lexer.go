package nginx

import (
	"fmt"
	"strings"
)

// token is a word, or one of ; { }.
type token struct {
	text   string
	line   int
	quoted bool
	end    byte // ';', '{', '}' for these; 0 for a word
}

// lexer cuts a file into tokens as nginx's ngx_conf_read_token does.
type lexer struct {
	file string
	text string
	at   int
	line int
}

// SyntaxError is a place where a file is no configuration of nginx.
type SyntaxError struct {
	File    string
	Line    int
	Message string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message) }

func (l *lexer) errorf(line int, format string, args ...any) error {
	return &SyntaxError{l.file, line, fmt.Sprintf(format, args...)}
}

// next returns the next token; false at the end of the file.
func (l *lexer) next() (token, bool, error) {
	l.skip()
	if l.at >= len(l.text) {
		return token{}, false, nil
	}
	t := token{line: l.line}
	switch c := l.text[l.at]; c {
	case ';', '{', '}':
		l.at++
		t.end = c
		return t, true, nil
	case '"', '\'':
		l.at++
		t.quoted = true
		var err error
		t.text, err = l.quoted(c)
		return t, true, err
	}
	t.text = l.word()
	return t, true, nil
}

// skip passes over blanks and remarks.
func (l *lexer) skip() {
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case c == '\n':
			l.line++
		case c == ' ' || c == '\t' || c == '\r':
		case c == '#':
			end := strings.IndexByte(l.text[l.at:], '\n')
			if end < 0 {
				l.at = len(l.text)
				return
			}
			l.at += end
			continue
		default:
			return
		}
		l.at++
	}
}

// quoted reads up to the closing quote, behind which a word must end.
func (l *lexer) quoted(quote byte) (string, error) {
	began := l.line
	var b strings.Builder
	for l.at < len(l.text) {
		c := l.text[l.at]
		switch {
		case c == '\\' && l.at+1 < len(l.text):
			l.escape(&b)
			continue
		case c == quote:
			l.at++
			if l.at < len(l.text) && !strings.ContainsRune(" \t\r\n;{)", rune(l.text[l.at])) {
				return "", l.errorf(l.line, "unexpected %q behind a quoted word", l.text[l.at])
			}
			return b.String(), nil
		case c == '\n':
			l.line++
		}
		b.WriteByte(c)
		l.at++
	}
	return "", l.errorf(began, "a quote is not closed")
}

// escape reads a backslash and what it stands before.
func (l *lexer) escape(b *strings.Builder) {
	c := l.text[l.at+1]
	l.at += 2
	switch c {
	case '"', '\'', '\\':
		b.WriteByte(c)
	case 't':
		b.WriteByte('\t')
	case 'r':
		b.WriteByte('\r')
	case 'n':
		b.WriteByte('\n')
	default:
		if c == '\n' {
			l.line++
		}
		b.WriteByte('\\')
		b.WriteByte(c)
	}
}

// word reads up to a blank, ; or {, but for the { of a ${variable}.
func (l *lexer) word() string {
	var b strings.Builder
	for l.at < len(l.text) {
		c := l.text[l.at]
		switch {
		case c == '\\' && l.at+1 < len(l.text):
			l.escape(&b)
			continue
		case c == '$' && l.at+1 < len(l.text) && l.text[l.at+1] == '{':
			b.WriteString("${")
			l.at += 2
			continue
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';' || c == '{':
			return b.String()
		}
		b.WriteByte(c)
		l.at++
	}
	return b.String()
}

// raw skips a block in another language, whose { was read.
func (l *lexer) raw() error {
	began, depth := l.line, 1
	for ; l.at < len(l.text); l.at++ {
		switch l.text[l.at] {
		case '\n':
			l.line++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				l.at++
				return nil
			}
		}
	}
	return l.errorf(began, "a block is not closed")
}

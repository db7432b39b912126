package event

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"sync"

	"gatehouse/exchange"
)

// pair is a name with one of its values.
type pair struct{ name, value string }

// scratch is what pairs are gathered in; its memory is used again.
type scratch struct{ pairs []pair }

var scratches = sync.Pool{New: func() any { return &scratch{pairs: make([]pair, 0, 32)} }}

func borrow() *scratch { return scratches.Get().(*scratch) }

func (s *scratch) free() {
	clear(s.pairs)
	if cap(s.pairs) > 1024 {
		return
	}
	s.pairs = s.pairs[:0]
	scratches.Put(s)
}

// query gathers the parameters of a query, decoded, and those of one name
// together, in the order in which each came. What is broken is left out.
func (s *scratch) query(query string) {
	for query != "" {
		var part string
		part, query, _ = strings.Cut(query, "&")
		if part == "" || strings.IndexByte(part, ';') >= 0 {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err := unescape(name)
		if err != nil {
			continue
		}
		if value, err = unescape(value); err == nil {
			s.pairs = append(s.pairs, pair{name, value})
		}
	}
	if len(s.pairs) > 1 {
		slices.SortStableFunc(s.pairs, func(a, b pair) int { return cmp.Compare(a.name, b.name) })
	}
}

func unescape(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, nil
	}
	return url.QueryUnescape(s)
}

// appendJoined appends an object with the values of each name joined by commas.
func appendJoined(b []byte, pairs []pair) []byte {
	b = append(b, '{')
	for i, p := range pairs {
		if i > 0 && pairs[i-1].name == p.name {
			b = append(b, ',')
			b = appendEscaped(b, p.value)
		} else {
			b = appendEntry(b, p.name)
			b = appendEscaped(append(b, '"'), p.value)
		}
		if i+1 == len(pairs) || pairs[i+1].name != p.name {
			b = append(b, '"')
		}
	}
	return append(b, '}')
}

// appendLast appends an object with the last value of each name.
func appendLast(b []byte, pairs []pair) []byte {
	b = append(b, '{')
	for i, p := range pairs {
		if i+1 == len(pairs) || pairs[i+1].name != p.name {
			b = appendText(appendEntry(b, p.name), p.value)
		}
	}
	return append(b, '}')
}

// appendAll appends an object with a list of the values of each name.
func appendAll(b []byte, pairs []pair) []byte {
	b = append(b, '{')
	for i, p := range pairs {
		if i > 0 && pairs[i-1].name == p.name {
			b = append(b, ',')
		} else {
			b = append(appendEntry(b, p.name), '[')
		}
		b = appendText(b, p.value)
		if i+1 == len(pairs) || pairs[i+1].name != p.name {
			b = append(b, ']')
		}
	}
	return append(b, '}')
}

// appendEntry is appendKey for a key that may need escaping.
func appendEntry(b []byte, name string) []byte {
	if n := len(b); b[n-1] != '{' {
		b = append(b, ',')
	}
	return append(appendText(b, name), ':')
}

// appendVariables appends a map of texts.
func appendVariables(b []byte, variables map[string]string) []byte {
	b = append(b, '{')
	for name, value := range variables {
		b = appendText(appendEntry(b, name), value)
	}
	return append(b, '}')
}

func appendParams(b []byte, params []exchange.Param) []byte {
	b = append(b, '{')
	for _, p := range params {
		b = appendText(appendEntry(b, p.Name), p.Value)
	}
	return append(b, '}')
}

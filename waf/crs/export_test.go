package crs

import "gatehouse/waf/crs/inspect"

// Split takes a multipart body apart.
func Split(contentType string, data []byte) inspect.Body {
	b := inspect.Body{Kind: inspect.Multipart, Data: data}
	split(&b, contentType)
	return b
}

// FlatJSON is the second reading of a body that is JSON.
func FlatJSON(data []byte) []inspect.Argument { return flatJSON(data) }

// Matches reports whether a pattern of paths matches; false for one that is none.
func Matches(pattern string, segments []string) bool {
	p, err := parsePath(pattern)
	return err == nil && p.matches(segments)
}

// Package text undoes the disguises in which attackers send what a service will
// read: the text transformations of AWS WAF, by its names.
//
// Every transformation is a pure function of one text, takes time linear in its
// length, and returns the text itself where there is nothing to undo, so that
// ordinary requests cost no allocation. None fails: what cannot be decoded stays
// as it stands.
package text

import (
	"slices"
	"strings"
)

// Kind is one transformation.
type Kind uint8

// The transformations, in the order of AWS WAF's documentation.
const (
	None Kind = iota
	CompressWhiteSpace
	HTMLEntityDecode
	Lowercase
	CmdLine
	URLDecode
	Base64Decode
	HexDecode
	MD5
	ReplaceComments
	EscapeSeqDecode
	SQLHexDecode
	CSSDecode
	JSDecode
	NormalizePath
	NormalizePathWin
	RemoveNulls
	ReplaceNulls
	Base64DecodeExt
	URLDecodeUni
	UTF8ToUnicode
	RemoveWhiteSpace
	Trim
	TrimLeft
	TrimRight
	Uppercase
	SHA256
	kinds
)

// names are those that the configuration writes. AWS's are the same in capitals,
// with "_" for "-".
var names = [kinds]string{
	"none", "compress-white-space", "html-entity-decode", "lowercase", "cmd-line", "url-decode", "base64-decode",
	"hex-decode", "md5", "replace-comments", "escape-seq-decode", "sql-hex-decode", "css-decode", "js-decode",
	"normalize-path", "normalize-path-win", "remove-nulls", "replace-nulls", "base64-decode-ext", "url-decode-uni",
	"utf8-to-unicode", "remove-whitespace", "trim", "trim-left", "trim-right", "uppercase", "sha256",
}

// String returns the name that the configuration writes.
func (k Kind) String() string { return names[k] }

// Names returns the name of every transformation.
func Names() []string { return slices.Clone(names[:]) }

// Parse returns the transformation of a name as the configuration writes it.
func Parse(name string) (Kind, bool) {
	i := slices.Index(names[:], name)
	return Kind(max(i, 0)), i >= 0
}

// ParseAWS returns the transformation of AWS's name: URL_DECODE.
func ParseAWS(name string) (Kind, bool) {
	if name != strings.ToUpper(name) || strings.Contains(name, "-") {
		return 0, false
	}
	return Parse(strings.ReplaceAll(strings.ToLower(name), "_", "-"))
}

// MaxChain is how many transformations one statement may have, as in AWS WAF.
const MaxChain = 10

// Chain is transformations in their order. The nil Chain leaves all as it is.
type Chain []Kind

// Apply returns s after every transformation of the chain.
func (c Chain) Apply(s string) string {
	for _, k := range c {
		s = k.Apply(s)
	}
	return s
}

// Clean returns the chain without what does nothing.
func (c Chain) Clean() Chain {
	var out Chain
	for _, k := range c {
		if k != None {
			out = append(out, k)
		}
	}
	return out
}

// Key tells chains apart.
func (c Chain) Key() string {
	key := make([]byte, len(c))
	for i, k := range c {
		key[i] = byte(k)
	}
	return string(key)
}

// Apply returns s transformed.
func (k Kind) Apply(s string) string {
	switch k {
	case CompressWhiteSpace:
		return compressWhiteSpace(s)
	case HTMLEntityDecode:
		return htmlEntityDecode(s)
	case Lowercase:
		return lowercase(s)
	case Uppercase:
		return uppercase(s)
	case CmdLine:
		return cmdLine(s)
	case URLDecode:
		return urlDecode(s, false)
	case URLDecodeUni:
		return urlDecode(s, true)
	case Base64Decode:
		return base64Decode(s, false)
	case Base64DecodeExt:
		return base64Decode(s, true)
	case HexDecode:
		return hexDecode(s)
	case MD5:
		return md5Sum(s)
	case SHA256:
		return sha256Sum(s)
	case ReplaceComments:
		return replaceComments(s)
	case EscapeSeqDecode:
		return escapeSeqDecode(s)
	case SQLHexDecode:
		return sqlHexDecode(s)
	case CSSDecode:
		return cssDecode(s)
	case JSDecode:
		return jsDecode(s)
	case NormalizePath:
		return normalizePath(s)
	case NormalizePathWin:
		return normalizePath(strings.ReplaceAll(s, `\`, "/"))
	case RemoveNulls:
		return strings.ReplaceAll(s, "\x00", "")
	case ReplaceNulls:
		return strings.ReplaceAll(s, "\x00", " ")
	case UTF8ToUnicode:
		return utf8ToUnicode(s)
	}
	return space(k, s)
}

// space does what concerns white space alone.
func space(k Kind, s string) string {
	switch k {
	case RemoveWhiteSpace:
		return removeWhiteSpace(s)
	case Trim:
		return strings.Trim(s, blanks)
	case TrimLeft:
		return strings.TrimLeft(s, blanks)
	case TrimRight:
		return strings.TrimRight(s, blanks)
	}
	return s
}

// Package fingerprint tells TLS clients apart by what they say of themselves when
// they connect: JA3 (salesforce/ja3) and JA4 (FoxIO-LLC/ja4, the TLS client
// fingerprint, under its BSD licence).
package fingerprint

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"slices"
	"strconv"
)

// The extensions that the fingerprints treat by themselves.
const (
	extensionName     = 0x0000
	extensionProtocol = 0x0010
)

// legacyVersion is what ClientHello says of itself since TLS 1.3: 1.2. Clients
// that offer less find nobody here.
const legacyVersion = tls.VersionTLS12

// isGrease reports whether a value is one of those that clients mix in so that
// servers pass over what they do not know (RFC 8701).
func isGrease(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// JA3 returns the MD5 of the text that JA3Text returns, in hexadecimal digits.
func JA3(h *tls.ClientHelloInfo) string {
	sum := md5.Sum(JA3Text(h))
	return hex.EncodeToString(sum[:])
}

// JA3Text returns version, cipher suites, extensions, curves and point formats in
// decimal numbers, as they came, without GREASE.
func JA3Text(h *tls.ClientHelloInfo) []byte {
	b := strconv.AppendUint(make([]byte, 0, 256), legacyVersion, 10)
	b = appendDecimal(append(b, ','), h.CipherSuites)
	b = appendDecimal(append(b, ','), h.Extensions)
	b = appendDecimal(append(b, ','), h.SupportedCurves)
	return appendDecimal(append(b, ','), h.SupportedPoints)
}

func appendDecimal[T ~uint16 | ~uint8](b []byte, list []T) []byte {
	first := true
	for _, v := range list {
		if isGrease(uint16(v)) {
			continue
		}
		if !first {
			b = append(b, '-')
		}
		b, first = strconv.AppendUint(b, uint64(v), 10), false
	}
	return b
}

// JA4 returns the JA4 fingerprint of a handshake over TCP.
func JA4(h *tls.ClientHelloInfo) string {
	ciphers, extensions := plain(h.CipherSuites), plain(h.Extensions)
	b := append(make([]byte, 0, 40), 't')
	b = append(b, version(h.SupportedVersions)...)
	if slices.Contains(extensions, extensionName) {
		b = append(b, 'd')
	} else {
		b = append(b, 'i')
	}
	b = appendCount(b, len(ciphers))
	b = appendCount(b, len(extensions))
	b = append(appendProtocol(b, h.SupportedProtos), '_')
	slices.Sort(ciphers)
	b = append(appendHash(b, appendHex(nil, ciphers)), '_')
	extensions = slices.DeleteFunc(extensions, func(e uint16) bool { return e == extensionName || e == extensionProtocol })
	slices.Sort(extensions)
	text := appendHex(nil, extensions)
	if schemes := plain(h.SignatureSchemes); len(schemes) > 0 {
		text = appendHex(append(text, '_'), schemes)
	}
	return string(appendHash(b, text))
}

// plain returns a list without GREASE, as a copy.
func plain[T ~uint16](list []T) []uint16 {
	out := make([]uint16, 0, len(list))
	for _, v := range list {
		if !isGrease(uint16(v)) {
			out = append(out, uint16(v))
		}
	}
	return out
}

// version is the highest that the client offers.
func version(offered []uint16) string {
	switch slices.Max(append(plain(offered), 0)) {
	case tls.VersionTLS13:
		return "13"
	case tls.VersionTLS12:
		return "12"
	case tls.VersionTLS11:
		return "11"
	case tls.VersionTLS10:
		return "10"
	}
	return "00"
}

// appendCount appends a number of two digits, 99 for all above.
func appendCount(b []byte, n int) []byte {
	n = min(n, 99)
	return append(b, byte('0'+n/10), byte('0'+n%10))
}

// appendProtocol appends the first and the last character of the first protocol
// that the client wants (ALPN); their hexadecimal digits where one of them is no
// letter and no digit; 00 where there is none.
func appendProtocol(b []byte, protocols []string) []byte {
	if len(protocols) == 0 || protocols[0] == "" {
		return append(b, '0', '0')
	}
	first, last := protocols[0][0], protocols[0][len(protocols[0])-1]
	if isAlphanumeric(first) && isAlphanumeric(last) {
		return append(b, first, last)
	}
	const digits = "0123456789abcdef"
	return append(b, digits[first>>4], digits[last&15])
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// appendHex appends numbers of four hexadecimal digits with commas between them.
func appendHex(b []byte, list []uint16) []byte {
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = hex.AppendEncode(b, []byte{byte(v >> 8), byte(v)})
	}
	return b
}

// appendHash appends the first twelve digits of a text's SHA-256; zeros for none.
func appendHash(b, text []byte) []byte {
	if len(text) == 0 {
		return append(b, "000000000000"...)
	}
	sum := sha256.Sum256(text)
	return hex.AppendEncode(b, sum[:6])
}

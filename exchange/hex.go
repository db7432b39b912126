package exchange

// Unhex returns the byte that two hexadecimal digits stand for, as in %2F, and
// reports whether they are such (RFC 3986 section 2.1). It is here for all rooms
// that read percent encoding: where two of them read it in different ways, one can
// be led past the other.
func Unhex(high, low byte) (c byte, ok bool) {
	h, l := digit(high), digit(low)
	return h<<4 | l, h < 16 && l < 16
}

func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

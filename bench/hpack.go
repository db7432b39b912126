package main

// requestBlocks returns the header block of a connection's first request,
// which puts the fields into the server's table, and that of all others, which
// refer to them: what a browser or Go's own client would send.
func requestBlocks(path, token string) (first, again []byte) {
	fields := []struct {
		name  int // index in the static table of RFC 7541
		value string
	}{{1, host}, {4, path}, {58, "bench/1"}, {19, "*/*"}}
	if token != "" {
		fields = append(fields, struct {
			name  int
			value string
		}{23, "Bearer " + token})
	}
	first = []byte{0x82, 0x87} // :method GET, :scheme https
	again = []byte{0x82, 0x87}
	for i, f := range fields {
		first = appendInteger(first, 0x40, 6, f.name)
		first = appendInteger(first, 0, 7, len(f.value))
		first = append(first, f.value...)
		again = appendInteger(again, 0x80, 7, 61+len(fields)-i)
	}
	return first, again
}

// appendInteger appends an HPACK integer behind the flags that share its first
// byte.
func appendInteger(b []byte, flags byte, prefix, value int) []byte {
	limit := 1<<prefix - 1
	if value < limit {
		return append(b, flags|byte(value))
	}
	b = append(b, flags|byte(limit))
	for value -= limit; value >= 128; value /= 128 {
		b = append(b, byte(value%128+128))
	}
	return append(b, byte(value))
}

// afterInteger skips a table size update.
func afterInteger(b []byte) []byte {
	if b[0]&0x1f != 0x1f {
		return b[1:]
	}
	for b = b[1:]; len(b) > 0; b = b[1:] {
		if b[0] < 128 {
			return b[1:]
		}
	}
	return b
}

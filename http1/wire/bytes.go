package wire

import "encoding/binary"

// class is what a byte may be used for.
type class uint8

const (
	isToken class = 1 << iota // in a field name
	isValue                   // in a field value
	isLower
	isUpper
)

// classes is computed once by the compiler's initialisation and never written.
var classes = func() (t [256]class) {
	for c := range 256 {
		b := byte(c)
		switch {
		case 'a' <= b && b <= 'z':
			t[c] = isToken | isValue | isLower
		case 'A' <= b && b <= 'Z':
			t[c] = isToken | isValue | isUpper
		case '0' <= b && b <= '9':
			t[c] = isToken | isValue
		case b == '\t' || b >= 0x20 && b != 0x7f:
			t[c] = isValue
		}
	}
	for _, b := range []byte("!#$%&'*+-.^_`|~") {
		t[b] |= isToken
	}
	return t
}()

// canonical maps a byte of a field name to what it is in Go's canonical form, 0
// for what no name holds: canonical[1] at the name's beginning and behind "-",
// canonical[0] elsewhere. Like classes it is never written.
var canonical = func() (t [2][256]byte) {
	for c := range 256 {
		k := classes[c]
		if k&isToken == 0 {
			continue
		}
		t[0][c], t[1][c] = byte(c), byte(c)
		switch {
		case k&isLower != 0:
			t[1][c] = byte(c) - 'a' + 'A'
		case k&isUpper != 0:
			t[0][c] = byte(c) - 'A' + 'a'
		}
	}
	return t
}()

// canonicalize checks a field name and rewrites it in place to Go's canonical
// form, which http.Header is keyed by.
func canonicalize(name []byte) bool {
	form := &canonical[1]
	for i, c := range name {
		m := form[c]
		if m == 0 {
			return false
		}
		name[i] = m
		form = &canonical[0]
		if c == '-' {
			form = &canonical[1]
		}
	}
	return len(name) > 0
}

// validValue reports whether a field value holds no control byte but tabs. It
// looks at eight bytes at a time.
func validValue(value []byte) bool {
	for len(value) >= 8 {
		if suspicious(binary.LittleEndian.Uint64(value)) && !validBytes(value[:8]) {
			return false
		}
		value = value[8:]
	}
	return validBytes(value)
}

func validBytes(value []byte) bool {
	for _, c := range value {
		if classes[c]&isValue == 0 {
			return false
		}
	}
	return true
}

// suspicious reports whether one of eight bytes is below 0x20 or 0x7f; now and
// then, beside such a byte alone, for another.
func suspicious(eight uint64) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	low := (eight - 0x20*ones) &^ eight
	del := eight ^ 0x7f*ones
	return (low|(del-ones)&^del)&high != 0
}

func validName(name string) bool {
	for i := range len(name) {
		if classes[name[i]]&isToken == 0 {
			return false
		}
	}
	return name != ""
}

// trim takes the optional whitespace off both ends of b[from:to].
func trim(b []byte, from, to int) (int, int) {
	for from < to && (b[from] == ' ' || b[from] == '\t') {
		from++
	}
	for to > from && (b[to-1] == ' ' || b[to-1] == '\t') {
		to--
	}
	return from, to
}

package wire

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

// canonicalize checks a field name and rewrites it in place to Go's canonical
// form, which http.Header is keyed by.
func canonicalize(name []byte) bool {
	upper := true
	for i, c := range name {
		k := classes[c]
		switch {
		case k&isToken == 0:
			return false
		case upper && k&isLower != 0:
			name[i] = c - 'a' + 'A'
		case !upper && k&isUpper != 0:
			name[i] = c - 'A' + 'a'
		}
		upper = c == '-'
	}
	return len(name) > 0
}

func validValue(value []byte) bool {
	for _, c := range value {
		if classes[c]&isValue == 0 {
			return false
		}
	}
	return true
}

// IsToken reports whether s is a token, as methods and field names are (RFC 9110
// section 5.6.2).
func IsToken(s string) bool { return validName(s) }

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

package jsondoc

import (
	"bytes"
	"cmp"
	"math/big"
)

// Decimal is a number exactly as JSON writes it: its digits times a power of
// ten. The zero Decimal is 0.
type Decimal struct {
	digits   []byte // without zeros at either end; none for 0
	exponent int    // of the last digit
	negative bool
}

// maxExponent is where exponents end: what lies beyond is taken for this.
const maxExponent = 1 << 40

// ParseDecimal reads a number as JSON writes it; buf is room for its digits. It
// reports false for what is none.
func ParseDecimal(text, buf []byte) (Decimal, bool) {
	var d Decimal
	digits, scale, seen, point := buf[:0], 0, false, false
	i := 0
	if i < len(text) && text[i] == '-' {
		d.negative = true
		i++
	}
	start := i
loop:
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case c == '.' && !point && i > start:
			point = true
		case '0' <= c && c <= '9':
			seen = true
			if c != '0' || len(digits) > 0 {
				digits = append(digits, c)
			}
			if point {
				scale++
			}
		default:
			break loop
		}
	}
	if !seen || text[i-1] == '.' || leadingZero(text[start:]) {
		return d, false
	}
	exponent, ok := parseExponent(text[i:])
	if !ok {
		return d, false
	}
	d.exponent = exponent - scale
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
		d.exponent++
	}
	if d.digits = digits; len(digits) == 0 {
		d.exponent, d.negative = 0, false
	}
	return d, true
}

func leadingZero(text []byte) bool {
	return len(text) > 1 && text[0] == '0' && '0' <= text[1] && text[1] <= '9'
}

func parseExponent(text []byte) (int, bool) {
	if len(text) == 0 {
		return 0, true
	}
	if text[0]|0x20 != 'e' {
		return 0, false
	}
	text = text[1:]
	negative := len(text) > 0 && text[0] == '-'
	if negative || len(text) > 0 && text[0] == '+' {
		text = text[1:]
	}
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int(c-'0'), maxExponent)
	}
	if negative {
		n = -n
	}
	return n, len(text) > 0
}

// IsWhole reports whether d is an integer, however it is written.
func (d Decimal) IsWhole() bool { return d.exponent >= 0 }

// Compare returns -1, 0 or 1 as a is less than, equal to or greater than b.
func (a Decimal) Compare(b Decimal) int {
	if a.sign() != b.sign() {
		return cmp.Compare(a.sign(), b.sign())
	}
	return a.sign() * a.compareSize(b)
}

func (d Decimal) sign() int {
	switch {
	case len(d.digits) == 0:
		return 0
	case d.negative:
		return -1
	}
	return 1
}

func (a Decimal) compareSize(b Decimal) int {
	if c := cmp.Compare(len(a.digits)+a.exponent, len(b.digits)+b.exponent); c != 0 {
		return c
	}
	n := min(len(a.digits), len(b.digits))
	if c := bytes.Compare(a.digits[:n], b.digits[:n]); c != 0 {
		return c
	}
	return cmp.Compare(len(a.digits), len(b.digits))
}

// maxExact is how many digits a number may have, written out, whose division
// is tried.
const maxExact = 1000

// IsMultiple reports whether d is a whole multiple of m, which is above 0, and whether that could
// be found out: it cannot for numbers of more than a thousand digits.
func (d Decimal) IsMultiple(m Decimal) (multiple, known bool) {
	if len(d.digits) == 0 {
		return true, true
	}
	low := min(d.exponent, m.exponent)
	if len(d.digits)+d.exponent-low > maxExact || len(m.digits)+m.exponent-low > maxExact {
		return false, false
	}
	var rest big.Int
	rest.Rem(d.whole(low), m.whole(low))
	return rest.Sign() == 0, true
}

// whole returns d in units of ten to the power of unit.
func (d Decimal) whole(unit int) *big.Int {
	if len(d.digits) == 0 {
		return new(big.Int)
	}
	n, _ := new(big.Int).SetString(string(d.digits), 10)
	return n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.exponent-unit)), nil))
}

// Clone returns d with digits of its own.
func (d Decimal) Clone() Decimal {
	d.digits = bytes.Clone(d.digits)
	return d
}

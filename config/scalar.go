package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"gatehouse/config/tree"
)

// got describes what stands in the file in the place of what was wanted. It
// never tells what a reference stands for.
func (n *Node) got() string {
	switch {
	case n.v.Kind == Null:
		return "nothing"
	case n.v.Kind != Scalar:
		return n.v.Kind.String()
	case n.isExpanded():
		return "the value of " + tree.Shorten(n.v.Text)
	case n.v.Plain:
		return tree.Shorten(n.v.Text)
	}
	return fmt.Sprintf("the text %q", tree.Shorten(n.v.Text))
}

// scalarText returns the text of a scalar, or reports that n is none.
func (d *decoder) scalarText(n *Node, want string) (string, bool) {
	if n.v.Kind == Null {
		n.problem("write a value, or remove the key", "wanted "+want+", got nothing")
		return "", false
	}
	if n.v.Kind != Scalar {
		n.problem("", "wanted "+want+", got "+n.got())
		return "", false
	}
	return n.Text()
}

// scalar decodes the scalars of Go.
func (d *decoder) scalar(n *Node, v reflect.Value, r rules) {
	want, set := scalarForms(v)
	text, ok := d.scalarText(n, want)
	if !ok {
		return
	}
	if v.Kind() != reflect.String && !n.v.Plain && !n.isExpanded() {
		n.problem("remove the quotes", "wanted "+want+", got "+n.got())
		return
	}
	if hint, err := set(text); err != nil {
		if err == errOverflow {
			want += span(v)
		}
		n.problem(hint, "wanted "+want+", got "+n.got())
		return
	}
	d.enforce(n, v, text, r)
}

// scalarForms returns what v takes and a function that sets v from a text,
// whose hint says what may have been meant.
func scalarForms(v reflect.Value) (want string, set func(text string) (hint string, err error)) {
	switch v.Kind() {
	case reflect.String:
		return "text", func(text string) (string, error) { v.SetString(text); return "", nil }
	case reflect.Bool:
		return "true or false", func(text string) (string, error) { return setBool(v, text) }
	case reflect.Float32, reflect.Float64:
		return "a number", func(text string) (string, error) { return setFloat(v, text) }
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number", func(text string) (string, error) { return setInt(v, text) }
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, not negative", func(text string) (string, error) { return setUint(v, text) }
	}
	panic(fmt.Sprintf("config: cannot decode into %v", v.Type()))
}

var (
	errForm     = errors.New("config: another form was wanted")
	errOverflow = errors.New("config: overflow")
)

// span says which numbers fit v.
func span(v reflect.Value) string {
	bits := v.Type().Bits()
	switch {
	case v.CanInt():
		return fmt.Sprintf(" from %d to %d", int64(-1)<<(bits-1), int64(1)<<(bits-1)-1)
	case v.CanUint():
		return fmt.Sprintf(" and at most %d", ^uint64(0)>>(64-bits))
	}
	return " that is not as large"
}

func setBool(v reflect.Value, text string) (string, error) {
	b, ok := parseBool(text)
	if !ok {
		switch strings.ToLower(text) {
		case "yes", "y", "on", "1":
			return "write true", errForm
		case "no", "n", "off", "0":
			return "write false", errForm
		}
		return "", errForm
	}
	v.SetBool(b)
	return "", nil
}

func setInt(v reflect.Value, text string) (string, error) {
	digits, base, ok := wholeNumber(text)
	if !ok || leadingZero(text) {
		return numberHint(text), errForm
	}
	i, err := strconv.ParseInt(digits, base, 64)
	if err != nil || v.OverflowInt(i) {
		return "", errOverflow
	}
	v.SetInt(i)
	return "", nil
}

func setUint(v reflect.Value, text string) (string, error) {
	digits, base, ok := wholeNumber(text)
	if !ok || leadingZero(text) || strings.HasPrefix(digits, "-") {
		return numberHint(text), errForm
	}
	u, err := strconv.ParseUint(digits, base, 64)
	if err != nil || v.OverflowUint(u) {
		return "", errOverflow
	}
	v.SetUint(u)
	return "", nil
}

func setFloat(v reflect.Value, text string) (string, error) {
	f, ok := parseFloat(text)
	if !ok {
		return numberHint(text), errForm
	}
	if math.IsInf(f, 0) || v.OverflowFloat(f) {
		return "", errOverflow
	}
	v.SetFloat(f)
	return "", nil
}

// numberHint helps with the numbers of other languages, and with those that
// YAML 1.1 read differently from YAML 1.2.
func numberHint(text string) string {
	bare := strings.NewReplacer("_", "", ",", "", " ", "").Replace(text)
	_, whole := parseFloat(bare)
	switch {
	case !whole:
		return ""
	case leadingZero(bare):
		return "a leading zero means different numbers to different readers: write 10 or 0o10"
	case bare != text:
		return "write " + bare
	}
	return ""
}

// leadingZero reports a decimal with a zero before it.
func leadingZero(text string) bool {
	digits := strings.TrimLeft(text, "+-")
	return len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9'
}

// parseBool knows the bools of YAML 1.2's core schema.
func parseBool(text string) (value, ok bool) {
	switch text {
	case "true", "True", "TRUE":
		return true, true
	case "false", "False", "FALSE":
		return false, true
	}
	return false, false
}

// wholeNumber returns the digits and the base of a whole number of YAML 1.2's
// core schema.
func wholeNumber(text string) (digits string, base int, ok bool) {
	digits, base = strings.TrimPrefix(text, "+"), 10
	allowed := "0123456789"
	if rest, hex := strings.CutPrefix(text, "0x"); hex {
		digits, base, allowed = rest, 16, "0123456789abcdefABCDEF"
	} else if rest, octal := strings.CutPrefix(text, "0o"); octal {
		digits, base, allowed = rest, 8, "01234567"
	}
	bare := digits
	if base == 10 && !strings.HasPrefix(text, "+") {
		bare = strings.TrimPrefix(digits, "-")
	}
	return digits, base, bare != "" && strings.Trim(bare, allowed) == ""
}

// parseFloat reads a number of YAML 1.2's core schema; infinite where it is
// too large. Infinity and NaN by name are no numbers to a configuration.
func parseFloat(text string) (float64, bool) {
	if text == "" || strings.Trim(text, "0123456789+-.eE") != "" || !strings.ContainsAny(text, "0123456789") {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil || math.IsInf(f, 0)
}

package match

import "gatehouse/config"

// Operator compares numbers, in AWS's words.
type Operator uint8

// The operators.
const (
	Equal Operator = iota
	NotEqual
	LessOrEqual
	Less
	GreaterOrEqual
	Greater
)

// Size is the number of bytes of a text.
type Size struct {
	Operator Operator
	Bytes    int64
}

func (t *Size) compile(*Compiler, config.Pos) tester { return t }

func (*Size) what() string { return "size" }

func (t *Size) test(s string) (at, n int, ok bool) {
	size := int64(len(s))
	switch t.Operator {
	case Equal:
		ok = size == t.Bytes
	case NotEqual:
		ok = size != t.Bytes
	case LessOrEqual:
		ok = size <= t.Bytes
	case Less:
		ok = size < t.Bytes
	case GreaterOrEqual:
		ok = size >= t.Bytes
	case Greater:
		ok = size > t.Bytes
	}
	return 0, 0, ok
}

// Present passes every text: the field is there.
type Present struct{}

func (Present) compile(*Compiler, config.Pos) tester { return Present{} }

func (Present) what() string { return "is there" }

func (Present) test(string) (at, n int, ok bool) { return 0, 0, true }

package accesslog

import "gatehouse/observe/escape"

// Variable is one of $context's variables for others than the log, who escape
// it themselves.
type Variable struct{ field *field }

// Find returns the variable of a name, without "$context."; false for one that
// there is not.
func Find(name string) (Variable, bool) {
	f := lookup(table(), name)
	return Variable{f}, f != nil
}

// Append appends the variable's value; nothing where it is not known.
func (v Variable) Append(b []byte, rec *Record) []byte {
	switch f := v.field; {
	case f.text != nil:
		return append(b, clip(f.text(rec))...)
	case f.safe != nil:
		return f.safe(b, rec, escape.Raw)
	default:
		return f.raw(b, rec)
	}
}

// IsNumber reports whether the variable's value is a number in JSON.
func (v Variable) IsNumber() bool { return v.field.number }

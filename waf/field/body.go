package field

import (
	"strings"
	"unsafe"
)

// Body returns the body's first bytes, up to the limit, without the content
// coding that the client gave it, and whether there are more. The body is read
// from the client when it is first asked for.
func (v *View) Body() (string, bool) {
	b := &v.body
	if b.asked {
		return b.text, b.over
	}
	b.asked = true
	if v.X.Body.Declared() == 0 {
		return "", false
	}
	if v.streams() {
		if !v.limits.Unseen {
			v.fail(ErrUnseen)
		}
		return "", false
	}
	raw, err := v.X.Body.Peek(v.limits.Body + 1)
	if err != nil {
		v.fail(err)
		return "", false
	}
	b.text, b.over = view(raw), len(raw) > v.limits.Body
	if coding := v.R.Header["Content-Encoding"]; len(coding) > 0 {
		b.text, b.over, err = inflate(b.text, coding, v.limits.Body, b.over)
		if err != nil {
			v.fail(err)
		}
	}
	if b.over && len(b.text) > v.limits.Body {
		b.text = b.text[:v.limits.Body]
	}
	return b.text, b.over
}

// streams reports whether the client may wait for an answer before it sends more:
// whoever waits for the body then waits for ever.
func (v *View) streams() bool {
	kind := v.R.Header.Get("Content-Type")
	return strings.HasPrefix(kind, "application/grpc") && v.R.ProtoMajor > 1 && v.X.Body.Declared() < 0
}

// decide makes an error of a body that goes on beyond the limit, where neither
// the statement nor the ACL says that it may.
func (v *View) decide(s *Spec, over bool) {
	if over && s.Over == Usual && !v.limits.Beyond {
		v.fail(ErrBeyond)
	}
}

func (v *View) fail(err error) {
	if v.err == nil {
		v.err = err
	}
}

// view is a string of bytes that nobody changes while the request lasts.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

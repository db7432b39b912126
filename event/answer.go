package event

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"strconv"
	"strings"
)

// Field is one field of an answer's head.
type Field struct{ Name, Value string }

// Answer is what a function answered to a request.
type Answer struct {
	Status int     // from 200 to 599
	Fields []Field // in net/http's spelling; none belongs to the connection
	Body   []byte  // may lie in what was read
}

// Form is a payload format.
type Form uint8

// The formats that functions answer in.
const (
	Two Form = iota // HTTP APIs
	One             // REST APIs
	URL             // function URLs
)

// String returns the format's version.
func (f Form) String() string {
	if f == One {
		return "1.0"
	}
	return "2.0"
}

// Read reads a function's answer in a format. The Answer may share memory with b.
func Read(b []byte, form Form) (*Answer, error) {
	s := &scanner{b: b}
	if form != One && !isWhole(b) {
		return bare2(b)
	}
	a := &reading{form: form}
	if s.peek() != '{' {
		return nil, errors.New("the answer is no JSON object")
	}
	if err := a.members(s); err != nil {
		return nil, err
	}
	if !s.end() {
		return nil, errJSON
	}
	return a.finish()
}

// ReadPrelude reads what a streamed answer begins with: an answer without a body.
func ReadPrelude(b []byte, form Form) (*Answer, error) {
	a := &reading{form: form}
	s := &scanner{b: b}
	if err := a.members(s); err != nil {
		return nil, err
	}
	if !s.end() {
		return nil, errJSON
	}
	if !a.said {
		a.status = 200
		a.said = true
	}
	a.body, a.encoded = nil, false
	return a.finish()
}

// isWhole reports whether an answer in format 2.0 is one with a statusCode.
func isWhole(b []byte) bool {
	if !bytes.Contains(b, []byte(`"statusCode"`)) {
		return false
	}
	s, found := &scanner{b: b}, false
	if s.peek() != '{' {
		return false
	}
	err := s.object(func(name []byte) error {
		found = found || string(name) == "statusCode"
		return s.skip(1)
	})
	return err == nil && found
}

// bare2 is an answer in format 2.0 that is only a body.
func bare2(b []byte) (*Answer, error) {
	s := &scanner{b: b}
	if err := s.skip(0); err != nil {
		return nil, err
	}
	if !s.end() {
		return nil, errJSON
	}
	return &Answer{Status: 200, Fields: []Field{{"Content-Type", "application/json"}}, Body: b}, nil
}

// reading is an answer as it is read.
type reading struct {
	form    Form
	status  int
	said    bool // a status
	single  []Field
	multi   []Field
	cookies []string
	body    []byte
	encoded bool
}

func (a *reading) members(s *scanner) error {
	return s.object(func(name []byte) error {
		switch string(name) {
		case "statusCode":
			return a.readStatus(s)
		case "headers":
			return a.readHeaders(s)
		case "multiValueHeaders":
			return a.readMulti(s)
		case "cookies":
			if a.form == One {
				return s.skip(1)
			}
			return a.readCookies(s)
		case "body":
			return a.readBody(s)
		case "isBase64Encoded":
			return a.readEncoded(s)
		}
		return s.skip(1)
	})
}

func (a *reading) readStatus(s *scanner) (err error) {
	var digits []byte
	switch c := s.peek(); {
	case c == '"':
		digits, err = s.text()
	case '0' <= c && c <= '9':
		from := s.i
		err = s.number()
		digits = s.b[from:s.i]
	default:
		err = errors.New("statusCode is no number")
	}
	if err != nil {
		return err
	}
	a.status, err = strconv.Atoi(string(digits))
	if err != nil || a.status < 200 || a.status > 599 {
		return errors.New("statusCode is no number from 200 to 599")
	}
	a.said = true
	return nil
}

// value takes the value of a field: a text, a number or a truth; null is none.
func value(s *scanner) (text string, ok bool, err error) {
	switch c := s.peek(); {
	case c == '"':
		b, err := s.text()
		return string(b), true, err
	case c == '{' || c == '[':
		return "", false, errors.New("a header's value is no text")
	}
	from := s.i
	if err := s.skip(1); err != nil {
		return "", false, err
	}
	text = string(s.b[from:s.i])
	return text, text != "null", nil
}

func (a *reading) readHeaders(s *scanner) error {
	if s.word("null") {
		return nil
	}
	if s.peek() != '{' {
		return errors.New("headers are no object")
	}
	return s.object(func(name []byte) error {
		key := string(name)
		text, ok, err := value(s)
		if err == nil && ok {
			a.single, err = appendField(a.single, key, text)
		}
		return err
	})
}

func (a *reading) readMulti(s *scanner) error {
	if s.word("null") {
		return nil
	}
	if s.peek() != '{' {
		return errors.New("multiValueHeaders are no object")
	}
	return s.object(func(name []byte) error {
		key := string(name)
		if s.word("null") {
			return nil
		}
		if s.peek() != '[' {
			return errors.New("a value of multiValueHeaders is no list")
		}
		return s.list(func() error {
			text, ok, err := value(s)
			if err == nil && ok {
				a.multi, err = appendField(a.multi, key, text)
			}
			return err
		})
	})
}

func (a *reading) readCookies(s *scanner) error {
	if s.word("null") {
		return nil
	}
	if s.peek() != '[' {
		return errors.New("cookies are no list")
	}
	return s.list(func() error {
		if s.peek() != '"' {
			return errors.New("a cookie is no text")
		}
		text, err := s.text()
		if err != nil {
			return err
		}
		if !isValue(string(text)) {
			return errValue
		}
		a.cookies = append(a.cookies, string(text))
		return nil
	})
}

func (a *reading) readBody(s *scanner) (err error) {
	switch {
	case s.word("null"):
		a.body = nil
		return nil
	case s.peek() != '"':
		return errors.New("body is no text")
	}
	a.body, err = s.text()
	return err
}

func (a *reading) readEncoded(s *scanner) error {
	switch {
	case s.word("true"):
		a.encoded = true
	case s.word("false") || s.word("null"):
		a.encoded = false
	default:
		return errors.New("isBase64Encoded is neither true nor false")
	}
	return nil
}

func (a *reading) finish() (*Answer, error) {
	if !a.said {
		return nil, errors.New("the answer has no statusCode")
	}
	out := &Answer{Status: a.status, Body: a.body, Fields: a.fields()}
	if a.encoded {
		body := make([]byte, base64.StdEncoding.DecodedLen(len(a.body)))
		n, err := base64.StdEncoding.Decode(body, a.body)
		if err != nil {
			return nil, errors.New("the body is no base64")
		}
		out.Body = body[:n]
	}
	return out, nil
}

// fields returns the head: of a name that both objects have, the values of
// multiValueHeaders.
func (a *reading) fields() []Field {
	out := a.multi
	typed := hasField(a.multi, "Content-Type")
	for _, f := range a.single {
		if len(a.multi) == 0 || !hasField(a.multi, f.Name) {
			out = append(out, f)
		}
		typed = typed || f.Name == "Content-Type"
	}
	for _, c := range a.cookies {
		out = append(out, Field{"Set-Cookie", c})
	}
	if !typed {
		out = append(out, Field{"Content-Type", a.form.contentType()})
	}
	return out
}

// contentType is what a body is where its function does not say.
func (f Form) contentType() string {
	if f == Two {
		return "text/plain;charset=utf-8"
	}
	return "application/json"
}

func hasField(fields []Field, name string) bool {
	for _, f := range fields {
		if f.Name == name {
			return true
		}
	}
	return false
}

var errValue = errors.New("a header's value holds what could end its line")

// appendField appends a field, unless it belongs to the connection or is the
// gateway's own.
func appendField(fields []Field, name, value string) ([]Field, error) {
	if !isToken(name) {
		return nil, fmt.Errorf("%.40q is no name of a header", name)
	}
	if !isValue(value) {
		return nil, errValue
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	if isOwn(name) {
		return fields, nil
	}
	return append(fields, Field{name, strings.Trim(value, " \t")}), nil
}

// isOwn reports fields that are not a function's to set: those of the connection,
// what frames the body, and the request's id.
func isOwn(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Content-Length", "X-Amzn-Requestid", "Alt-Svc":
		return true
	}
	return false
}

func isValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func isToken(s string) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return true
}

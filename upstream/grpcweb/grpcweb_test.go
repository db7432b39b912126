package grpcweb

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestKind(t *testing.T) {
	for in, want := range map[string]string{
		"application/grpc-web":                           " false",
		"application/grpc-web+proto":                     "+proto false",
		"application/grpc-web-text":                      " true",
		"application/grpc-web-text+proto; charset=utf-8": "+proto true",
		"application/grpc-web ;x=y":                      " false",
		"application/grpc-webx":                          "",
		"application/grpc-web-textual":                   "",
		"application/grpc":                               "",
		"":                                               "",
	} {
		messages, isText, ok := Kind(in)
		got := ""
		if ok {
			got = messages + " " + map[bool]string{true: "true", false: "false"}[isText]
		}
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := GRPC("+proto"); got != "application/grpc+proto" {
		t.Error(got)
	}
	for in, want := range map[string]string{"application/grpc": "application/grpc-web-text", "application/grpc+json": "application/grpc-web-text+json"} {
		if got := Web(in, true); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestDecoder(t *testing.T) {
	for in, want := range map[string]string{
		"":                 "",
		"aGVsbG8=":         "hello",
		"aGVsbG8=aGVsbG8=": "hellohello",
		"aA==aGk=aGV5":     "hhihey",
		"aGVsbG8":          "hel, unexpected EOF",
		"aGVsbG8=a":        "hello, unexpected EOF",
		"a===":             ", " + ErrText.Error(),
		"aGVs!!!!":         ", " + ErrText.Error(),
		"aGVs\r\n\r\n":     ", " + ErrText.Error(),
		"aGVs====":         ", " + ErrText.Error(),
		"aGl=":             ", " + ErrText.Error(), // bits that stand for nothing
	} {
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in)), iotest.DataErrReader(strings.NewReader(in))} {
			out, err := io.ReadAll(NewDecoder(r))
			got := string(out)
			if err != nil {
				got += ", " + err.Error()
			}
			if !strings.HasSuffix(got, want) || err == nil && got != want {
				t.Errorf("%q: %q, want %q", in, got, want)
			}
		}
	}
}

// FuzzText: what was encoded in pieces is what is decoded, however it arrives,
// and what is decoded is what the standard library makes of it.
func FuzzText(f *testing.F) {
	f.Add([]byte("hello, world"), uint8(3))
	f.Add([]byte{0, 0, 0, 0, 2, 8, 1, 0x80, 0, 0, 0, 0}, uint8(5))
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		var text bytes.Buffer
		e := NewEncoder(&text)
		for rest := data; len(rest) > 0; {
			n := min(len(rest), int(piece)+1)
			if _, err := e.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		for _, r := range []io.Reader{bytes.NewReader(text.Bytes()), iotest.HalfReader(bytes.NewReader(text.Bytes()))} {
			if got, err := io.ReadAll(NewDecoder(r)); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%q came back as %q, %v", data, got, err)
			}
		}
		got, err := io.ReadAll(NewDecoder(bytes.NewReader(data)))
		if bytes.IndexByte(data, '=') >= 0 {
			return // several texts, perhaps
		}
		want, bad := base64.StdEncoding.Strict().DecodeString(string(data))
		if bytes.ContainsAny(data, "\r\n") {
			return
		}
		if (err == nil) != (bad == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%q is %q, %v, and to the standard library %q, %v", data, got, err, want, bad)
		}
	})
}

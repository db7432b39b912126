package test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

// webParts takes a gRPC-Web body apart: its messages, and its trailers.
func webParts(t *testing.T, body string) (messages []string, trailer string) {
	t.Helper()
	for len(body) >= 5 {
		n := int(binary.BigEndian.Uint32([]byte(body[1:5])))
		if len(body) < 5+n {
			t.Fatalf("a frame of %d bytes, %d are there", n, len(body)-5)
		}
		part := body[5 : 5+n]
		switch body[0] {
		case 0:
			m := new(message1)
			if err := proto.Unmarshal([]byte(part), m); err != nil {
				t.Fatal(err)
			}
			messages = append(messages, string(m.GetValue()))
		case 0x80:
			trailer = part
		default:
			t.Fatalf("a frame of kind %x", body[0])
		}
		body = body[5+n:]
	}
	if body != "" {
		t.Fatalf("%q is left", body)
	}
	return messages, trailer
}

// decodeAll decodes texts that stand one after the other.
func decodeAll(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	for i := 0; i+4 <= len(text); i += 4 {
		p, err := base64.StdEncoding.DecodeString(text[i : i+4])
		if err != nil {
			t.Fatal(err)
		}
		out.Write(p)
	}
	return out.String()
}

func TestGRPCWeb(t *testing.T) {
	_, _, address := startTalks(t)
	r := start(t, fmt.Sprintf(talkingGRPC, "limits: {body: 1MiB}", address, ""), nil)
	for _, kind := range []string{"application/grpc-web+proto", "application/grpc-web", "application/grpc-web-text+proto", "application/grpc-web-text"} {
		text := strings.Contains(kind, "text")
		ask := func(method, message string) (grpcAnswer, []string, string) {
			body := frame1(message)
			if text { // in two texts, as a client that encodes as it goes
				body = base64.StdEncoding.EncodeToString([]byte(body[:7])) + base64.StdEncoding.EncodeToString([]byte(body[7:]))
			}
			a := postGRPC(t, r, "/test.Talks/"+method, kind, body, "X-Grpc-Web", "1")
			if a.err != nil || a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), strings.Split(kind, "+")[0]) {
				t.Fatalf("%s: %+v", kind, a)
			}
			got := a.body
			if text {
				got = decodeAll(t, got)
			}
			messages, trailer := webParts(t, got)
			return a, messages, trailer
		}
		a, messages, trailer := ask("Unary", "hello")
		if fmt.Sprint(messages) != "[hello]" || trailer != "grpc-status:0\r\n" && !strings.Contains(trailer, "grpc-status:0\r\n") {
			t.Errorf("%s: %q %q", kind, messages, trailer)
		}
		if len(a.trailer) > 0 || a.header.Get("Grpc-Status") != "" {
			t.Errorf("%s: trailers beside the body: %v %v", kind, a.trailer, a.header)
		}
		if _, messages, trailer = ask("Down", "3 1"); fmt.Sprint(messages) != "[0 1 2]" || !strings.Contains(trailer, "grpc-status:0") {
			t.Errorf("%s: %q %q", kind, messages, trailer)
		}
		if _, _, trailer = ask("Unary", "details"); !strings.Contains(trailer, "grpc-status:9\r\n") || !strings.Contains(trailer, "grpc-message:not ready: 100 %25 %C3%A9\r\n") || !strings.Contains(trailer, "grpc-status-details-bin:") {
			t.Errorf("%s: %q", kind, trailer)
		}
		if _, _, trailer = ask("Nothing", ""); !strings.Contains(trailer, "grpc-status:12\r\n") {
			t.Errorf("%s: %q", kind, trailer)
		}
		if _, _, trailer = ask("Unary", "metadata"); !strings.Contains(trailer, "x-tail:last\r\n") {
			t.Errorf("%s: %q", kind, trailer)
		}
	}
	// What is no base64, and a path of no route.
	if a := postGRPC(t, r, "/test.Talks/Unary", "application/grpc-web-text", "!!!!"); !strings.Contains(decodeAll(t, a.body), "grpc-status:13") {
		t.Errorf("%+v", a)
	}
	if a := postGRPC(t, r, "/nowhere", "application/grpc-web", ""); !strings.Contains(a.body, "grpc-status:12") {
		t.Errorf("%+v", a)
	}
}

// A gRPC-Web call over HTTP/1.1, as some browsers' fetch makes it.
func TestGRPCWebHTTP1(t *testing.T) {
	_, _, address := startTalks(t)
	r := start(t, fmt.Sprintf(talkingGRPC, "limits: {body: 1MiB}", address, ""), nil)
	a := sendHTTP1(t, r, message{method: "POST", target: "/test.Talks/Down", host: "localhost", header: [][2]string{{"Content-Type", "application/grpc-web"}}, body: frame1("5 1")})
	messages, trailer := webParts(t, a.body)
	if fmt.Sprint(messages) != "[0 1 2 3 4]" || !strings.Contains(trailer, "grpc-status:0") {
		t.Errorf("%+v: %q %q", a, messages, trailer)
	}
}

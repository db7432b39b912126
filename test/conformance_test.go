package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// desyncSet returns the requests of http-desync-guardian's test suite as text,
// each with a body as its framing says and another request behind it.
func desyncSet(t *testing.T) (texts []string) {
	t.Helper()
	dir := filepath.Join("..", "..", "shared", "conformance", "http-desync")
	files, _ := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if len(files) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatalf("the conformance data is missing in %s", dir)
		}
		t.Skipf("the conformance data is not in %s", dir)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []desyncCase
		if err := yaml.Unmarshal(text, &cases); err != nil {
			t.Fatal(file, err)
		}
		for _, c := range cases {
			texts = append(texts, c.texts()...)
		}
	}
	return texts
}

type desyncCase struct {
	Name, URI, Method, Version string
	Headers                    []struct{ Name, Value any }
}

// texts returns the request with its body by either framing.
func (c *desyncCase) texts() []string {
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(c.Method+" "+c.URI+" "+c.Version, " ") + "\r\n")
	host, length := false, 0
	for _, h := range c.Headers {
		name, value := fmt.Sprint(h.Name), fmt.Sprint(h.Value)
		if h.Value == nil {
			value = ""
		}
		host = host || strings.EqualFold(strings.TrimSpace(name), "Host")
		if strings.EqualFold(name, "Content-Length") {
			_, _ = fmt.Sscan(value, &length)
		}
		b.WriteString(name + ": " + value + "\r\n")
	}
	if !host {
		b.WriteString("Host: h\r\n")
	}
	b.WriteString("\r\n")
	const behind = "GET /behind HTTP/1.1\r\nHost: h\r\n\r\n"
	return []string{
		b.String() + behind,
		b.String() + strings.Repeat("x", max(0, min(length, 1<<20))) + behind,
		b.String() + "3\r\nxxx\r\n0\r\n\r\n" + behind,
	}
}

// corpus returns the inputs of a fuzz target that are kept in a folder.
func corpus(t *testing.T, dir string) (texts []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus in %s: %v", dir, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			for _, kind := range []string{"[]byte(", "string("} {
				quoted, is := strings.CutPrefix(strings.TrimSpace(line), kind)
				if text, err := strconv.Unquote(strings.TrimSuffix(quoted, ")")); is && err == nil {
					texts = append(texts, text)
				}
			}
		}
	}
	return texts
}

// TestRecorded: of no message that was ever found to be of interest does any
// server behind the gateway see more, or other requests than the gateway.
func TestRecorded(t *testing.T) {
	w := newWitness(t)
	for name, texts := range map[string]func(t *testing.T) []string{
		"http-desync-guardian": desyncSet,
		"wire, FuzzRequest":    func(t *testing.T) []string { return corpus(t, "../http1/wire/testdata/fuzz/FuzzRequest") },
		"edge, FuzzRequest":    func(t *testing.T) []string { return corpus(t, "../edge/testdata/fuzz/FuzzRequest") },
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			defer func() { w.t = t }()
			for _, sent := range texts(t) {
				w.say(t, sent, true)
				intended(t, sent, w.settle(t))
				if t.Failed() {
					t.Fatalf("%q", sent)
				}
			}
		})
	}
}

// TestSwitchThatIsNone: behind a handshake that the service does not take the
// client's bytes are requests, and not the service's to read.
func TestSwitchThatIsNone(t *testing.T) {
	w := newWitness(t)
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
	for name, tc := range map[string]struct {
		head string
		seen []string
	}{
		"the service answers 200":   {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", []string{"/ws", "/smuggled"}},
		"an unknown version":        {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", []string{"/smuggled"}},
		"another protocol":          {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", []string{"/ws", "/smuggled"}},
		"a handshake with a body":   {"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 10\r\n\r\n", nil},
		"a handshake by POST":       {"POST /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n", []string{"/ws", "/smuggled"}},
		"an upgrade without a word": {"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n", []string{"/ws", "/smuggled"}},
	} {
		t.Run(name, func(t *testing.T) {
			w.say(t, tc.head+smuggled, false)
			left := append([]string(nil), tc.seen...)
			for _, r := range w.settle(t) {
				if len(left) == 0 || !contains(&left, r.Target) {
					t.Errorf("the service saw %s", r.Target)
				}
			}
			if len(left) > 0 {
				t.Errorf("the service did not see %q", left)
			}
		})
	}
}

// contains takes s out of a list, and reports whether it was there.
func contains(list *[]string, s string) bool {
	for i, have := range *list {
		if have == s {
			*list = append((*list)[:i], (*list)[i+1:]...)
			return true
		}
	}
	return false
}

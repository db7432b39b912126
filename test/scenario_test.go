package test

import (
	"bufio"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"gatehouse/auth/devkey"
)

// TestScenarios runs every file below scenarios, each over HTTP/1.1 and
// HTTP/2 against a whole gateway. A file is a txtar archive:
//
//	-- gatehouse.yaml --     the configuration; {{backend}} is an echo service's HOST:PORT,
//	                         {{backend-h2c}} one that speaks HTTP/2 without TLS
//	-- what is asked.request --
//	GET /orders/42           METHOD TARGET, then headers, an empty line, the body
//	Host: api.shop.test      without Host: localhost
//	-- what is asked.answer --
//	200                      the status, or "broken" for an answer that must not look
//	                         complete; where several stand there, either will do
//	content-type: application/json
//	!server                  a header that must not be there
//
//	a line that the body must hold, once it is uncompressed
//	!a line that it must not hold
//	-- what is asked.log --  lines that the request's access-log line must hold
//
// {{token sub=alice scope=a,b iss=... aud=... for=-1h}} is a development token.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("scenarios/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, protocol := range protocols {
			name := strings.TrimSuffix(filepath.Base(file), ".txtar") + "/" + protocol.name
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				newScenario(t, archive).run(protocol.send)
			})
		}
	}
}

type scenario struct {
	t       *testing.T
	gateway *running
	files   []txtar.File
	backend map[string]string
}

func newScenario(t *testing.T, archive *txtar.Archive) *scenario {
	s := &scenario{t: t, backend: make(map[string]string)}
	var text string
	files := make(map[string][]byte)
	for _, f := range archive.Files {
		switch filepath.Ext(f.Name) {
		case ".request", ".answer", ".log":
			s.files = append(s.files, f)
			continue
		}
		data := s.expand(string(f.Data))
		if f.Name == "gatehouse.yaml" {
			text = data
		} else {
			files[f.Name] = []byte(data)
		}
	}
	s.gateway = start(t, text, files)
	return s
}

var placeholder = regexp.MustCompile(`\{\{([^}]+)\}\}`)

func (s *scenario) expand(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		words := strings.Fields(found[2 : len(found)-2])
		switch words[0] {
		case "backend", "backend2", "backend-h2c":
			return s.backendAddress(words[0])
		case "nobody":
			return "127.0.0.1:" + freePort(s.t)
		case "token":
			return s.token(words[1:])
		case "repeat":
			n, _ := strconv.Atoi(words[2])
			return strings.Repeat(words[1], n)
		}
		s.t.Fatalf("unknown placeholder %s", found)
		return ""
	})
}

func (s *scenario) backendAddress(name string) string {
	if s.backend[name] == "" {
		backend := newBackend(s.t, name)
		if name == "backend-h2c" {
			backend = overHTTP2(s.t, backend)
		}
		s.backend[name] = backend.Listener.Addr().String()
	}
	return s.backend[name]
}

func (s *scenario) token(words []string) string {
	c := devkey.Claims{Issuer: "https://login.test", Audience: []string{"test"}, Subject: "alice", Lifetime: time.Hour}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "sub":
			c.Subject = value
		case "iss":
			c.Issuer = value
		case "aud":
			c.Audience = strings.Split(value, ",")
		case "scope":
			c.Scopes = strings.Split(value, ",")
		case "for":
			c.Lifetime, _ = time.ParseDuration(value)
		}
	}
	key, err := devkey.Open(filepath.Join(s.gateway.dir, "data"))
	if err != nil {
		s.t.Fatal(err)
	}
	token, err := key.Sign(c)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

func (s *scenario) run(send func(*testing.T, *running, message) answer) {
	var got answer
	for _, f := range s.files {
		kind := filepath.Ext(f.Name)
		what := strings.TrimSuffix(f.Name, kind)
		text := s.expand(string(f.Data))
		switch kind {
		case ".request":
			got = send(s.t, s.gateway, parseMessage(s.t, text))
		case ".answer":
			if problem := compare(got, text); problem != "" {
				s.t.Errorf("%s: %s\ngot %d %v\n%s", what, problem, got.status, got.header, clip(got.body))
			}
		case ".log":
			s.checkLog(what, got, text)
		}
	}
}

func clip(body string) string {
	if len(body) > 2000 {
		return body[:2000] + "..."
	}
	return body
}

func (s *scenario) checkLog(what string, got answer, text string) {
	line := s.gateway.logLine(got.header.Get("X-Amzn-Requestid"))
	for wanted := range strings.Lines(text) {
		wanted = strings.TrimSpace(wanted)
		absent, not := strings.CutPrefix(wanted, "!")
		if not == strings.Contains(line, absent) {
			s.t.Errorf("%s: the access log says %s, want %s", what, line, wanted)
		}
	}
}

func parseMessage(t *testing.T, text string) message {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimRight(head, "\n"), "\n")
	method, target, ok := strings.Cut(lines[0], " ")
	if !ok {
		t.Fatalf("no METHOD TARGET: %q", lines[0])
	}
	m := message{method: method, target: target, host: "localhost", body: strings.TrimSuffix(body, "\n")}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if strings.EqualFold(name, "host") {
			m.host = value
			continue
		}
		m.header = append(m.header, [2]string{name, value})
	}
	return m
}

// compare returns what is wrong with an answer; "" where nothing is.
func compare(got answer, text string) string {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := bufio.NewScanner(strings.NewReader(head))
	lines.Scan()
	first := strings.Fields(lines.Text())
	if got.err != nil && slices.Contains(first, "broken") {
		return ""
	}
	if got.err != nil {
		return fmt.Sprintf("no answer: %v", got.err)
	}
	if !slices.Contains(first, strconv.Itoa(got.status)) {
		return fmt.Sprintf("want %v", first)
	}
	for lines.Scan() {
		if problem := compareHeader(got, strings.TrimSpace(lines.Text())); problem != "" {
			return problem
		}
	}
	plain, _ := uncompressed(got)
	for wanted := range strings.Lines(body) {
		wanted = strings.TrimSpace(wanted)
		absent, not := strings.CutPrefix(wanted, "!")
		if wanted != "" && not == strings.Contains(plain, absent) {
			return "the body: want " + wanted
		}
	}
	return ""
}

func compareHeader(got answer, line string) string {
	if name, absent := strings.CutPrefix(line, "!"); absent {
		if values := got.header.Values(name); len(values) > 0 {
			return "the header " + name + " is there"
		}
		return ""
	}
	name, value, named := strings.Cut(line, ":")
	values := got.header.Values(name)
	if len(values) == 0 {
		return "the header " + name + " is missing"
	}
	if all := strings.Join(values, ", "); named && strings.TrimSpace(value) != all {
		return fmt.Sprintf("the header %s is %q, want %q", name, all, strings.TrimSpace(value))
	}
	return ""
}

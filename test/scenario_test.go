package test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"gatehouse/admin"
)

// TestScenarios runs every file below scenarios, each over HTTP/1.1 and
// HTTP/2 against a whole gateway. A file is a txtar archive of files that lie
// beside the configuration, and of steps, which are taken in their order:
//
//	-- gatehouse.yaml --     the configuration at the start
//	-- what.request --
//	GET /orders/42           METHOD TARGET, then headers, an empty line, the body
//	Host: api.shop.test      without Host: localhost
//	:listener 127.0.0.1:00   another listener than the first; :plain KEY for one without TLS
//	:sni a.test              another TLS name than localhost
//	:from 203.0.113.5        a PROXY header that names the client
//	:stalls                  the body's last byte never comes
//	:sign KEY SECRET         signed by AWS Signature Version 4; :presign in the query;
//	                         behind them at=-6m service=sts region=us-east-1 payload=unsigned
//	-- what.answer --
//	200                      the status, or "broken" for an answer that must not look
//	                         complete; where several stand there, any will do
//	content-type: application/json
//	retry-after              a header with any value
//	!server                  a header that must not be there
//
//	a line that the body must hold, once it is uncompressed
//	!a line that it must not hold
//	-- what.log --           lines that the request's access-log line must hold
//	-- what.trail --         lines that explain must print of the request, whatever
//	                         the space between their words
//	-- what.metrics --       lines that the metrics must come to hold
//	-- what.reload --        a configuration that takes over
//	-- what.refused --       what the reload before says, which must fail
//	-- what.file NAME --     a file's new content
//	-- what.act NAME --      a call on the control socket, with a document
//	-- what.until --         like .answer: the request before is sent until it is answered so
//
// In all of them {{...}} stands for what only the run knows: see expand.
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
				newScenario(t, archive, protocol.send).run()
			})
		}
	}
}

// scenario is one run of a file.
type scenario struct {
	*stage
	gateway *running
	steps   []txtar.File
	send    func(*testing.T, *running, message) answer

	asked  message // the last request
	got    answer  // its answer
	logged int     // how long the access log was before it
	err    error   // of the last reload
}

var stepKind = regexp.MustCompile(`^(.*)\.(request|answer|log|trail|metrics|reload|refused|until|(?:file|act) (\S+))$`)

func newScenario(t *testing.T, archive *txtar.Archive, send func(*testing.T, *running, message) answer) *scenario {
	s := &scenario{stage: newStage(t), send: send}
	var text string
	files := make(map[string][]byte)
	for _, f := range archive.Files {
		switch {
		case stepKind.MatchString(f.Name):
			s.steps = append(s.steps, f)
		case f.Name == "gatehouse.yaml":
			text = s.expand(string(f.Data))
		default:
			files[f.Name] = []byte(s.expand(string(f.Data)))
		}
	}
	s.gateway = start(t, text, files)
	s.data = filepath.Join(s.gateway.dir, "data")
	return s
}

func (s *scenario) run() {
	for _, f := range s.steps {
		found := stepKind.FindStringSubmatch(f.Name)
		s.step(found[1], found[2], found[3], s.expand(string(f.Data)))
	}
}

func (s *scenario) step(what, kind, file, text string) {
	switch kind {
	case "request":
		s.asked = parseMessage(s.t, text)
		s.ask()
	case "answer":
		if problem := compare(s.got, text); problem != "" {
			s.t.Errorf("%s: %s\ngot %d %v\n%s", what, problem, s.got.status, s.got.header, clip(s.got.body))
		}
	case "until":
		s.until(what, text)
	case "log":
		s.holds(what, "the access log", s.gateway.logLineBehind(s.logged, s.mark()), text)
	case "trail":
		s.holds(what, "explain", squeezed(s.gateway.explain(s.got.id())), text)
	case "metrics":
		s.metrics(what, text)
	case "reload":
		s.reload(text)
	case "refused":
		s.refused(what, text)
		return
	case "act " + file:
		if err := admin.Dial(s.data).Act(s.t.Context(), file, json.RawMessage(text), nil); err != nil {
			s.t.Errorf("%s: %v", what, err)
		}
	default:
		s.gateway.write(file, []byte(text))
	}
	if kind != "reload" && s.err != nil {
		s.t.Errorf("before %s: %v", what, s.err)
		s.err = nil
	}
}

// reload puts a configuration in the place of the last one.
func (s *scenario) reload(text string) {
	before := s.gateway.read("gatehouse.yaml")
	s.gateway.configure(text)
	if s.err = s.gateway.Reload(s.t.Context()); s.err != nil {
		s.gateway.write("gatehouse.yaml", before)
	}
}

func (s *scenario) ask() {
	s.logged = s.gateway.logLength()
	s.got = s.send(s.t, s.gateway, s.asked.signed(s.t))
}

// mark is what tells the last request's line of the access log: its id, or
// its path where the client was told none.
func (s *scenario) mark() string {
	if id := s.got.id(); id != "" {
		return id
	}
	path, _, _ := strings.Cut(s.asked.target, "?")
	return path
}

// until repeats the last request: some things take a moment.
func (s *scenario) until(what, text string) {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		s.ask()
		problem := compare(s.got, text)
		if problem == "" {
			return
		}
		if time.Now().After(deadline) {
			s.t.Errorf("%s: %s\ngot %d %v\n%s", what, problem, s.got.status, s.got.header, clip(s.got.body))
			return
		}
	}
}

// metrics waits for lines of the metrics: counting ends after the answer does.
func (s *scenario) metrics(what, wanted string) {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		now := s.gateway.metrics()
		if missing := lacking(now, wanted); missing == "" {
			return
		} else if time.Now().After(deadline) {
			s.t.Errorf("%s: the metrics say\n%s\nwant %s", what, now, missing)
			return
		}
	}
}

func (s *scenario) refused(what, text string) {
	if s.err == nil {
		s.t.Errorf("%s: the reload did not fail", what)
		return
	}
	s.holds(what, "the reload", s.err.Error(), text)
	s.err = nil
}

// holds looks for the lines of wanted in a text of the gateway's.
func (s *scenario) holds(what, where, text, wanted string) {
	if missing := lacking(text, wanted); missing != "" {
		s.t.Errorf("%s: %s says\n%s\nwant %s", what, where, clip(text), missing)
	}
}

// lacking returns the first line of wanted that text does not hold, or that it
// holds where "!" says that it must not; "" where there is none.
func lacking(text, wanted string) string {
	for line := range strings.Lines(wanted) {
		line = strings.TrimSpace(line)
		absent, not := strings.CutPrefix(line, "!")
		if line != "" && not == strings.Contains(text, absent) {
			return line
		}
	}
	return ""
}

// squeezed is text with one space where there are several.
func squeezed(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	return b.String()
}

func clip(text string) string {
	if len(text) > 4000 {
		return text[:4000] + "..."
	}
	return text
}

func (a answer) id() string { return a.header.Get("X-Amzn-Requestid") }

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
		if option, ok := strings.CutPrefix(line, ":"); ok {
			m.option(t, option)
			continue
		}
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

func (m *message) option(t *testing.T, line string) {
	t.Helper()
	name, value, _ := strings.Cut(line, " ")
	switch name {
	case "listener":
		m.listener = value
	case "plain":
		m.listener, m.plain = value, true
	case "sni":
		m.sni = value
	case "from":
		m.from = value
	case "stalls":
		m.stalls = true
	case "sign", "presign":
		m.signer = parseSigner(t, name, value)
	default:
		t.Fatalf("unknown option :%s", line)
	}
}

// compare returns what is wrong with an answer; "" where nothing is.
func compare(got answer, text string) string {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	statuses := strings.Fields(lines[0])
	if got.err != nil && slices.Contains(statuses, "broken") {
		return ""
	}
	if got.err != nil {
		return fmt.Sprintf("no answer: %v", got.err)
	}
	if !slices.Contains(statuses, strconv.Itoa(got.status)) {
		return fmt.Sprintf("want %v", statuses)
	}
	for _, line := range lines[1:] {
		if problem := compareHeader(got, strings.TrimSpace(line)); problem != "" {
			return problem
		}
	}
	plain, _ := uncompressed(got)
	if missing := lacking(plain, body); missing != "" {
		return "the body: want " + missing
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
	name, value, exact := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	values := got.header.Values(name)
	if len(values) == 0 {
		return "the header " + name + " is missing"
	}
	if all := strings.Join(values, ", "); exact && value != all {
		return fmt.Sprintf("the header %s is %q, want %q", name, all, value)
	}
	return ""
}

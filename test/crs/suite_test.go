package crs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"gatehouse/waf/record"
)

// exceptions are the cases that come out in another way, each with the reason.
type exceptions struct {
	Fails    map[string]string `yaml:"fails"`
	Stricter map[string]string `yaml:"stricter"`
}

// result is what became of one request.
type result struct {
	stage   *Stage
	status  int
	id      string
	refused bool // by the gateway itself
	err     error
}

// The whole regression suite of the Core Rule Set, against a gateway that
// counts at paranoia 4.
func TestSuite(t *testing.T) {
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	var known exceptions
	text, err := os.ReadFile("exceptions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &known); err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		cases = sample(cases, &known)
	}
	g := start(t)
	results := send(t, g.address, cases)
	g.stop()
	matched := g.matched(t)
	var by tally
	for i := range cases {
		by.judge(t, &cases[i], results[i], matched, &known)
	}
	for _, list := range []map[string]string{known.Fails, known.Stricter} {
		for name, reason := range list {
			if !by.seen[name] {
				t.Errorf("%s is an exception, and comes out as the suite says: remove it (%s)", name, reason)
			}
		}
	}
	if len(cases) < 4600 && !testing.Short() {
		t.Errorf("only %d cases", len(cases))
	}
	t.Logf("%d cases, %d requests: %d as the suite says, by the rules; %d refused before, as the case wants; %d refused before, and the case holds; %d exceptions",
		len(cases), by.requests, by.rules, by.refused, by.stricter, by.fails)
}

// sample is every 37th case, with the exceptions among them: what the race
// detector has time for.
func sample(cases []Case, known *exceptions) (out []Case) {
	fails, stricter := make(map[string]string), make(map[string]string)
	for i := range cases {
		if i%37 != 0 {
			continue
		}
		c := cases[i]
		out = append(out, c)
		if reason, ok := known.Fails[c.Name]; ok {
			fails[c.Name] = reason
		}
		if reason, ok := known.Stricter[c.Name]; ok {
			stricter[c.Name] = reason
		}
	}
	known.Fails, known.Stricter = fails, stricter
	return out
}

// tally counts how cases came out.
type tally struct {
	requests, rules, refused, stricter, fails int
	seen                                      map[string]bool
}

func (n *tally) judge(t *testing.T, c *Case, results []result, matched map[string][]record.RuleMatch, known *exceptions) {
	if n.seen == nil {
		n.seen = make(map[string]bool)
	}
	n.requests += len(results)
	var wrong []string
	before, wanted := false, true
	for i := range results {
		r := &results[i]
		wrong = append(wrong, r.wrong(matched[r.id])...)
		before = before || r.before(matched[r.id])
		wanted = wanted && r.stage.Output.wantsRefusal()
	}
	switch {
	case len(wrong) > 0:
		n.fails++
		n.seen[c.Name] = known.Fails[c.Name] != ""
		if !n.seen[c.Name] {
			t.Errorf("%s (%s): %s", c.Name, strings.TrimSpace(c.Desc), strings.Join(wrong, "; "))
		}
	case before && wanted:
		n.refused++
	case before:
		n.stricter++
		n.seen[c.Name] = known.Stricter[c.Name] != ""
		if !n.seen[c.Name] {
			t.Errorf("%s (%s): refused with %d before any rule: %v", c.Name, strings.TrimSpace(c.Desc), results[0].status, results[0].err)
		}
	default:
		n.rules++
	}
}

// before reports whether the request was refused before any rule saw it.
func (r *result) before(matches []record.RuleMatch) bool {
	return r.err != nil || r.refused && len(matches) == 0
}

// wantsRefusal reports whether a case is about a request that is to be refused: by
// its status, or by a rule. Where a rule is to find it, a status of 200 only says
// that the suite's own runs count.
func (o *Output) wantsRefusal() bool {
	return o.Error || o.Status >= 400 || len(o.Log.IDs) > 0 || o.Log.Match != ""
}

// wrong returns what of a case does not hold. What the gateway refuses itself
// holds where the case wants it refused.
func (r *result) wrong(matches []record.RuleMatch) (out []string) {
	o := &r.stage.Output
	if r.before(matches) {
		if o.Status != 0 && !o.wantsRefusal() {
			return []string{fmt.Sprintf("answered %d, not %d", r.status, o.Status)}
		}
		return nil
	}
	if o.Status != 0 && o.Status != r.status && (o.Status < 400 || r.status < 400) {
		out = append(out, fmt.Sprintf("answered %d, not %d", r.status, o.Status))
	}
	if o.Error {
		out = append(out, "answered")
	}
	has := func(id int) bool {
		return slices.ContainsFunc(matches, func(m record.RuleMatch) bool { return m.ID == strconv.Itoa(id) })
	}
	for _, id := range o.Log.IDs {
		if !has(id) {
			out = append(out, fmt.Sprintf("%d has not matched", id))
		}
	}
	for _, id := range o.Log.NoIDs {
		if has(id) {
			out = append(out, fmt.Sprintf("%d has matched", id))
		}
	}
	log := logLines(matches)
	if o.Log.Match != "" && !regexp.MustCompile(o.Log.Match).MatchString(log) {
		out = append(out, fmt.Sprintf("%q is not in the log:\n%s", o.Log.Match, log))
	}
	if o.Log.NoMatch != "" && regexp.MustCompile(o.Log.NoMatch).MatchString(log) {
		out = append(out, fmt.Sprintf("%q is in the log", o.Log.NoMatch))
	}
	return out
}

// logLines writes matches as ModSecurity's log does, which some cases look into.
func logLines(matches []record.RuleMatch) string {
	var b strings.Builder
	for _, m := range matches {
		fmt.Fprintf(&b, "[id %q] [msg \"%s\"]", m.ID, m.Message)
		for _, d := range m.Details {
			data := append(slices.Clone(d.Data), "", "")
			if len(d.Data) == 1 {
				data[1] = data[0]
			}
			fmt.Fprintf(&b, " Matched Data: %s found within %s: %s", oneLine(data[0]), d.Target, oneLine(data[1]))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func oneLine(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }

// workers are how many requests are under way at once.
const workers = 4

// send sends every request of every case, each on a connection of its own.
func send(t *testing.T, address string, cases []Case) [][]result {
	results := make([][]result, len(cases))
	next := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				for j := range cases[i].Stages {
					results[i] = append(results[i], ask(address, &cases[i].Stages[j]))
				}
			}
		})
	}
	for i := range cases {
		next <- i
	}
	close(next)
	wg.Wait()
	return results
}

// patience is how long an answer may take, on the busiest of machines.
const patience = time.Minute

func ask(address string, stage *Stage) result {
	r := result{stage: stage}
	request, err := stage.Input.Bytes()
	if err != nil {
		r.err = err
		return r
	}
	c, err := net.Dial("tcp", address)
	if err != nil {
		r.err = err
		return r
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	// The gateway may answer and close before it has read everything.
	_, _ = c.Write(request)
	answer, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: or(stage.Input.Method, "GET")})
	if err != nil {
		r.err = err
		return r
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	r.status, r.id = answer.StatusCode, answer.Header.Get("X-Amzn-Requestid")
	r.refused = answer.Header.Get(fromBackend) == ""
	return r
}

// matches reads what matched, by request, from the log of the web ACL.
func matches(data []byte) (map[string][]record.RuleMatch, error) {
	out := make(map[string][]record.RuleMatch)
	for line := range bytes.Lines(data) {
		var rec record.Record
		if err := json.Unmarshal(line, &rec); err != nil {
			return nil, fmt.Errorf("%w in %s", err, line)
		}
		for _, g := range rec.Groups {
			if g.Terminating != nil {
				out[rec.Request.ID] = append(out[rec.Request.ID], *g.Terminating)
			}
			out[rec.Request.ID] = append(out[rec.Request.ID], g.NonTerminating...)
		}
	}
	return out, nil
}

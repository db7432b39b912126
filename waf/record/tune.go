package record

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Proposal is an exclusion that would have kept rules of a core rule set from
// matching requests that did no harm.
type Proposal struct {
	Set      string   `json:"set"` // the rule of the ACL
	ACL      string   `json:"acl"`
	Rules    []int    `json:"rules"`
	Target   string   `json:"target,omitempty"` // "" for the rules as a whole
	Path     string   `json:"path,omitempty"`   // as exclusions write it; "" for everywhere
	Message  string   `json:"message"`
	Requests int      `json:"requests"`
	Clients  int      `json:"clients"`
	Samples  []string `json:"samples,omitempty"` // what was found, as the log shows it
}

// The most that is kept while a log is read, and the longest line.
const (
	maxGroups  = 100_000
	maxLine    = 4 << 20
	maxClients = 1000
	maxSamples = 3
	maxPaths   = 8
)

// spot is where one rule matched.
type spot struct {
	acl, set, target string
	rule             int
}

type tally struct {
	message  string
	requests int
	clients  map[string]bool
	paths    map[string]int
	many     bool // more paths than are kept
	samples  []string
}

// Tuner gathers counted matches.
type Tuner struct {
	spots   map[spot]*tally
	Records int // lines read
	Skipped int // lines that are no records
	Dropped int // matches for which there was no room
}

// NewTuner returns a Tuner that has seen nothing.
func NewTuner() *Tuner { return &Tuner{spots: make(map[spot]*tally)} }

// Read reads records, one a line. Only what a rule set counted is looked at: what
// it blocked is taken for an attack.
func (t *Tuner) Read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var rec Record
		if json.Unmarshal(lines.Bytes(), &rec) != nil || rec.FormatVersion != 1 {
			t.Skipped++
			continue
		}
		t.Records++
		t.add(&rec)
	}
	return lines.Err()
}

func (t *Tuner) add(rec *Record) {
	for _, g := range rec.Groups {
		if g.Terminating != nil && g.Terminating.Action == "BLOCK" {
			continue
		}
		for _, m := range g.NonTerminating {
			id, err := strconv.Atoi(m.ID)
			if err != nil || sums(id) {
				continue
			}
			t.match(rec, spot{acl: rec.ACL, set: g.ID, rule: id}, &m)
		}
	}
}

// match counts a match at each of its places, once a request.
func (t *Tuner) match(rec *Record, s spot, m *RuleMatch) {
	if len(m.Details) == 0 {
		t.count(s, m.Message, "", rec)
		return
	}
	seen := make(map[string]bool, len(m.Details))
	for _, d := range m.Details {
		if s.target = general(d.Target); seen[s.target] {
			continue
		}
		seen[s.target] = true
		sample := ""
		if len(d.Data) > 0 {
			sample = d.Data[0]
		}
		t.count(s, m.Message, sample, rec)
	}
}

func (t *Tuner) count(s spot, message, sample string, rec *Record) {
	n := t.spots[s]
	if n == nil {
		if len(t.spots) >= maxGroups {
			t.Dropped++
			return
		}
		n = &tally{message: message, clients: make(map[string]bool), paths: make(map[string]int)}
		t.spots[s] = n
	}
	n.requests++
	if len(n.clients) < maxClients {
		n.clients[rec.Request.ClientIP] = true
	}
	path := pattern(rec.Request.URI)
	if _, known := n.paths[path]; known || len(n.paths) < maxPaths {
		n.paths[path]++
	} else {
		n.many = true
	}
	if sample != "" && len(n.samples) < maxSamples && !slices.Contains(n.samples, sample) {
		n.samples = append(n.samples, sample)
	}
}

// sums reports whether a rule only adds up what others found.
func sums(id int) bool { return id/1000 == 949 || id/1000 == 959 || id/1000 == 980 }

// general returns a target for all members of an array: those of JSON bodies are
// counted in their names.
func general(target string) string {
	collection, key, ok := strings.Cut(target, ":")
	if !ok || !strings.HasPrefix(key, "json.") {
		return target
	}
	var pieces []string
	numbered := false
	for piece := range strings.SplitSeq(key, ".") {
		if _, err := strconv.Atoi(piece); err == nil {
			pieces, numbered = append(pieces, `\d+`), true
			continue
		}
		pieces = append(pieces, piece)
	}
	if !numbered {
		return target
	}
	return collection + `:/^` + strings.Join(pieces, `\.`) + `$/`
}

// pattern returns a path with {id} for what looks like an identifier, so that
// one exclusion serves them all.
func pattern(path string) string {
	pieces := strings.Split(path, "/")
	n := 0
	for i, p := range pieces {
		if isID(p) {
			n++
			pieces[i] = "{id" + strconv.Itoa(n) + "}"
		}
	}
	out := strings.Join(pieces, "/")
	if n == 1 {
		out = strings.Replace(out, "{id1}", "{id}", 1)
	}
	return strings.TrimSuffix(out, "/")
}

// isID reports whether a segment is a number, or long and of hexadecimal digits
// and dashes.
func isID(s string) bool {
	digits, others := 0, 0
	for _, c := range s {
		switch {
		case '0' <= c && c <= '9':
			digits++
		case 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' || c == '-':
		default:
			others++
		}
	}
	return s != "" && others == 0 && (digits == len(s) || len(s) >= 16 && digits > 0)
}

// Proposals returns exclusions, those for most requests first. Rules that matched
// at the same place are put together; a path is named where there was one
// alone.
func (t *Tuner) Proposals(least int) []Proposal {
	type key struct{ acl, set, target, path string }
	merged := make(map[key]*Proposal)
	for s, n := range t.spots {
		if n.requests < least {
			continue
		}
		k := key{s.acl, s.set, s.target, onePath(n)}
		p := merged[k]
		if p == nil {
			p = &Proposal{ACL: s.acl, Set: s.set, Target: s.target, Path: k.path}
			merged[k] = p
		}
		if n.requests > p.Requests || n.requests == p.Requests && (p.Message == "" || n.message < p.Message) {
			p.Message, p.Samples = n.message, n.samples
		}
		p.Rules = append(p.Rules, s.rule)
		p.Requests, p.Clients = max(p.Requests, n.requests), max(p.Clients, len(n.clients))
	}
	out := make([]Proposal, 0, len(merged))
	for _, p := range merged {
		slices.Sort(p.Rules)
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b Proposal) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Rules[0], b.Rules[0]), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Path, b.Path), cmp.Compare(a.ACL+a.Set, b.ACL+b.Set))
	})
	return out
}

func onePath(n *tally) string {
	if n.many || len(n.paths) != 1 {
		return ""
	}
	for p := range n.paths {
		if p != "" && !strings.ContainsAny(p, "%\\?#") && p != "REDACTED" {
			return p
		}
	}
	return ""
}

// WriteYAML writes proposals to be pasted below core-rule-set.
func WriteYAML(w io.Writer, all []Proposal) error {
	var b strings.Builder
	section := ""
	for _, p := range all {
		if s := p.ACL + " " + p.Set; s != section {
			section = s
			fmt.Fprintf(&b, "# %s, rule %s\nexclusions:\n", oneLine(p.ACL), oneLine(p.Set))
		}
		fmt.Fprintf(&b, "  # %d requests of %d clients: %s", p.Requests, p.Clients, oneLine(p.Message))
		for i, s := range p.Samples {
			sep := ", "
			if i == 0 {
				sep = ": "
			}
			fmt.Fprintf(&b, "%s%s", sep, strconv.Quote(s))
		}
		b.WriteByte('\n')
		for _, id := range p.Rules {
			fmt.Fprintf(&b, "  - {rule: %d", id)
			if p.Target != "" {
				b.WriteString(", target: " + quoted(p.Target))
			}
			if p.Path != "" {
				b.WriteString(", path: " + quoted(p.Path))
			}
			b.WriteString("}\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// quoted writes a text of a log as one of YAML's.
func quoted(s string) string {
	if oneLine(s) != s || !utf8.ValidString(s) {
		return strconv.QuoteToASCII(s)
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// oneLine keeps a text of a log from ending the comment that it stands in.
func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == 0x85 || c == 0x2028 || c == 0x2029 {
			return ' '
		}
		return c
	}, s)
}

package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func signing() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

func public() []ed25519.PublicKey {
	return []ed25519.PublicKey{signing().Public().(ed25519.PublicKey)}
}

func open(t testing.TB, dir string, o Options) *Log {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	l, err := Open(dir, "acts", signing(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func act(i int) Record {
	return Record{Act: "keys.create", Actor: "uid:0", Outcome: Done, Detail: map[string]string{"id": fmt.Sprint(i)}}
}

func fill(t testing.TB, l *Log, n int) {
	t.Helper()
	for i := range n {
		if err := l.Append(act(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func verify(t testing.TB, dir, from string) *Report {
	t.Helper()
	r, err := Verify(dir, "acts", public(), from)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What was written is found whole, over restarts and files.
func TestWhole(t *testing.T) {
	dir := t.TempDir()
	if r := verify(t, dir, ""); len(r.Problems) > 0 || r.Records != 0 {
		t.Errorf("nothing: %+v", r)
	}
	for range 3 {
		l := open(t, dir, Options{File: 2000, Keep: 100})
		fill(t, l, 20)
		_ = l.Close()
	}
	files, _ := filesOf(dir, "acts")
	r := verify(t, dir, "")
	if len(r.Problems) > 0 || r.Records != 60 || r.First != 1 || r.Last != 60 || len(files) < 4 {
		t.Errorf("%+v in %d files", r, len(files))
	}
	if r := verify(t, dir, fmt.Sprintf("%d:%s", r.Last, r.Hash)); len(r.Problems) > 0 {
		t.Errorf("against its own end: %v", r.Problems)
	}
}

// The oldest records may go, and the chain says so.
func TestPruned(t *testing.T) {
	dir := t.TempDir()
	fill(t, open(t, dir, Options{File: 1000, Keep: 2}), 100)
	files, _ := filesOf(dir, "acts")
	r := verify(t, dir, "")
	if len(r.Problems) > 0 || r.First == 1 || len(files) != 3 {
		t.Errorf("%+v in %d files", r, len(files))
	}
	if err := os.Remove(files[0].path); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, dir, ""); !strings.Contains(strings.Join(r.Problems, "\n"), "are gone") {
		t.Errorf("a file was taken away: %v", r.Problems)
	}
}

func TestTampering(t *testing.T) {
	lines := func(text []byte) [][]byte { return bytes.SplitAfter(text, []byte("\n")) }
	for _, tc := range []struct {
		name   string
		change func(text []byte) []byte
		want   string
	}{
		{"a value", func(b []byte) []byte { return bytes.Replace(b, []byte(`"id":"3"`), []byte(`"id":"4"`), 1) }, "record 4 was changed"},
		{"the last value", func(b []byte) []byte { return bytes.Replace(b, []byte(`"id":"9"`), []byte(`"id":"8"`), 1) }, "not the one that the head was signed for"},
		{"a line left out", func(b []byte) []byte { l := lines(b); return bytes.Join(append(l[:4:4], l[5:]...), nil) }, "record 6 follows record 4"},
		{"the first line left out", func(b []byte) []byte { return bytes.Join(lines(b)[1:], nil) }, "before 2 are gone"},
		{"two lines in another order", func(b []byte) []byte { l := lines(b); l[4], l[5] = l[5], l[4]; return bytes.Join(l, nil) }, "record 6 follows record 4"},
		{"a line twice", func(b []byte) []byte { l := lines(b); return bytes.Join(append(append(l[:5:5], l[4]), l[5:]...), nil) }, "record 5 follows record 5"},
		{"cut at a line", func(b []byte) []byte { return bytes.Join(lines(b)[:7], nil) }, "ends at record 7, but went on to 10"},
		{"cut in a line", func(b []byte) []byte { return b[:len(b)-5] }, "ends at record 9"},
		{"something else", func(b []byte) []byte { return append([]byte("hello\n"), b...) }, "no record stands here"},
		{"a very long line", func(b []byte) []byte { return append(bytes.Repeat([]byte("x"), 1<<20), b...) }, "longer than any record"},
		{"all gone", func([]byte) []byte { return nil }, "ends at record 0"},
	} {
		dir := t.TempDir()
		l := open(t, dir, Options{})
		fill(t, l, 10)
		path := l.path(1)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, tc.change(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := verify(t, dir, ""); !strings.Contains(strings.Join(r.Problems, "\n"), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, r.Problems, tc.want)
		}
	}
}

// An old state of the whole folder shows against a record that was noted.
func TestRollback(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	fill(t, l, 5)
	old, err := os.ReadFile(l.path(1))
	head, err2 := os.ReadFile(headPath(dir, "acts"))
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	fill(t, l, 5)
	seq, hash := l.Head()
	_ = os.WriteFile(l.path(1), old, 0o600)
	_ = os.WriteFile(headPath(dir, "acts"), head, 0o600)
	if r := verify(t, dir, ""); len(r.Problems) > 0 {
		t.Errorf("without a note it cannot show: %v", r.Problems)
	}
	if r := verify(t, dir, fmt.Sprintf("%d:%s", seq, hash)); len(r.Problems) == 0 {
		t.Error("the noted record is gone and nobody says so")
	}
	if _, err := Verify(dir, "acts", public(), "7"); err == nil {
		t.Error("a note without a hash")
	}
	// A head that somebody else signs.
	var h Head
	_ = json.Unmarshal(head, &h)
	h.Signature[3] ^= 1
	text, _ := json.Marshal(h)
	_ = os.WriteFile(headPath(dir, "acts"), text, 0o600)
	if r := verify(t, dir, ""); !strings.Contains(strings.Join(r.Problems, "\n"), "not signed") {
		t.Errorf("%v", r.Problems)
	}
	_ = os.Remove(headPath(dir, "acts"))
	if r := verify(t, dir, ""); !strings.Contains(strings.Join(r.Problems, "\n"), "head is gone") {
		t.Errorf("%v", r.Problems)
	}
}

// A crash may cut the last line, which nobody was told to be there; what was cut
// off beyond it shows at the next start, for good.
func TestRestarts(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	fill(t, l, 3)
	f, _ := os.OpenFile(l.path(1), os.O_APPEND|os.O_WRONLY, 0)
	_, _ = f.WriteString(`{"seq":4,"time":"20`)
	_ = f.Close()
	_ = l.Close()
	l = open(t, dir, Options{})
	fill(t, l, 1)
	if r := verify(t, dir, ""); len(r.Problems) > 0 || r.Records != 4 {
		t.Errorf("%+v", r)
	}
	_ = l.Close()
	if err := os.Truncate(l.path(1), 0); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, Options{})
	fill(t, l, 5)
	if r := verify(t, dir, ""); !strings.Contains(strings.Join(r.Problems, "\n"), "ended at record 0") {
		t.Errorf("%v", r.Problems)
	}
}

// What strangers send forges no line and drives no terminal.
func TestEscaping(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{})
	nasty := "a\"}\n{\"seq\":2\x1b[31m\u202e\x7f\xff" + strings.Repeat("x", 10000)
	if err := l.Append(Record{Act: "authentication", Outcome: Refused, Detail: map[string]string{"client": nasty}}); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(l.path(1))
	if bytes.Count(text, []byte("\n")) != 1 || bytes.ContainsAny(text, "\x1b\x7f\u202e") || len(text) > 2000 {
		t.Errorf("%q", text)
	}
	if r := verify(t, dir, ""); len(r.Problems) > 0 {
		t.Error(r.Problems)
	}
}

// A flood of refusals is a few lines, and every refusal is counted.
func TestFlood(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := NewRefusals(open(t, dir, Options{}), slog.New(slog.DiscardHandler))
		for i := range 100000 {
			r.Note(Group{API: "shop", Reason: "bad-signature", Client: fmt.Sprint(i % 5000)})
			if i%10000 == 0 {
				time.Sleep(time.Second)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	})
	text, err := os.ReadFile(filepath.Join(dir, "acts-000000000001.log"))
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	records := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range records {
		var rec Record
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			t.Fatal(err)
		}
		total += max(1, rec.Count)
	}
	if total != 100000 || len(records) > 2*(maxGroups+1) {
		t.Errorf("%d refusals in %d lines", total, len(records))
	}
}

func TestKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "audit.key")
	a, err := OpenKey(path)
	b, err2 := OpenKey(path)
	if err != nil || err2 != nil || !a.Equal(b) {
		t.Fatal(err, err2)
	}
	_ = os.Chmod(path, 0o644)
	if _, err := OpenKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key for all to read: %v", err)
	}
}

// FuzzVerify: no change of a log goes unseen, and none brings the reader down.
func FuzzVerify(f *testing.F) {
	dir := f.TempDir()
	l := open(f, dir, Options{})
	fill(f, l, 4)
	text, err := os.ReadFile(l.path(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(text[:len(text)-1])
	f.Add([]byte("{}\n{\"seq\":18446744073709551615}\n{}\n"))
	head, err := readHead(dir, "acts")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, changed []byte) {
		c := newChain(&Report{})
		c.noted[head.Seq] = ""
		if err := c.readFrom(bytes.NewReader(changed), "a", true); err != nil {
			t.Fatal(err)
		}
		c.end()
		c.holdHead(head, "acts", public())
		// What follows the head's last record is for the next head to tell.
		if found := len(c.report.Problems) > 0; !found && !bytes.HasPrefix(changed, text) {
			t.Errorf("%q: nothing is found", changed)
		}
		if bytes.Equal(changed, text) && len(c.report.Problems) > 0 {
			t.Errorf("%v", c.report.Problems)
		}
	})
}

package ipset

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// MaxFile is how large a file of ranges may be, in bytes.
const MaxFile = 256 << 20

// What one line may be, and what a file of JSON may be: AWS's sets have no more
// than 10,000 addresses.
const (
	maxLine = 4 << 10
	maxJSON = 16 << 20
)

// maxErrors is of how many lines of a file it is told what is wrong.
const maxErrors = 20

// Fault is what is wrong at a place of a file.
type Fault struct {
	Line int // from 1
	Err  error
}

// Read adds the ranges of a file: one a line, with comments after # or ;, or AWS's
// JSON of an IP set as its command line prints it. It returns what is wrong, of
// the first lines alone.
func (b *Builder) Read(r io.Reader) []Fault {
	in := bufio.NewReaderSize(r, 64<<10)
	skipMark(in)
	if isJSON(in) {
		return b.readJSON(in)
	}
	return b.readLines(in)
}

// skipMark passes over the mark that some editors begin a file with.
func skipMark(in *bufio.Reader) {
	if head, _ := in.Peek(3); string(head) == "\ufeff" {
		_, _ = in.Discard(3)
	}
}

// isJSON reports whether the first character that is no space opens an object or a
// list. Space before it is part of the first few KiB, if there is any.
func isJSON(in *bufio.Reader) bool {
	head, _ := in.Peek(4 << 10)
	head = bytes.TrimLeftFunc(head, unicode.IsSpace)
	return len(head) > 0 && (head[0] == '{' || head[0] == '[')
}

func (b *Builder) readLines(in *bufio.Reader) (faults []Fault) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	n := 0
	for lines.Scan() {
		n++
		text := lines.Text()
		if i := strings.IndexAny(text, "#;"); i >= 0 {
			text = text[:i]
		}
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if err := b.add(text); err != nil {
			if faults = append(faults, Fault{n, err}); len(faults) == maxErrors || b.Len() >= MaxRanges {
				return faults
			}
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("the line is longer than %d bytes", maxLine)
		}
		faults = append(faults, Fault{n + 1, err})
	}
	return faults
}

// add adds what one entry says.
func (b *Builder) add(text string) error {
	r, err := Parse(text)
	if err != nil {
		return err
	}
	if b.Len() >= MaxRanges {
		return fmt.Errorf("a set is made of at most %d ranges", MaxRanges)
	}
	b.Add(r)
	return nil
}

func (b *Builder) readJSON(in io.Reader) []Fault {
	text, err := io.ReadAll(io.LimitReader(in, maxJSON+1))
	if err != nil {
		return []Fault{{1, err}}
	}
	if len(text) > maxJSON {
		return []Fault{{1, fmt.Errorf("as JSON a file may have %d bytes: write one range a line", maxJSON)}}
	}
	w := &walk{text: text, in: json.NewDecoder(bytes.NewReader(text)), builder: b}
	if err := w.value(0, ""); err != nil {
		w.fault(err)
	} else if _, err := w.in.Token(); err != io.EOF {
		w.fault(errors.New("something follows the JSON value"))
	} else if !w.found {
		w.fault(errors.New(`no "Addresses": wanted AWS's JSON of an IP set`))
	}
	return w.faults
}

// walk reads AWS's JSON: {"IPSet": {"Addresses": [...]}}, {"Addresses": [...]}, or
// the list alone.
type walk struct {
	text    []byte
	in      *json.Decoder
	builder *Builder
	faults  []Fault
	found   bool
}

func (w *walk) fault(err error) {
	if len(w.faults) < maxErrors {
		w.faults = append(w.faults, Fault{1 + bytes.Count(w.text[:w.in.InputOffset()], []byte("\n")), err})
	}
}

const maxDepth = 8

// value reads the value of a key. Depth is how deep it stands.
func (w *walk) value(depth int, key string) error {
	if depth > maxDepth {
		return errors.New("nested too deeply")
	}
	t, err := w.in.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('{'):
		return w.object(depth)
	case json.Delim('['):
		return w.list(depth, key)
	}
	return nil
}

func (w *walk) object(depth int) error {
	for w.in.More() {
		key, err := w.in.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		if err := w.value(depth+1, name); err != nil {
			return err
		}
	}
	_, err := w.in.Token()
	return err
}

// list reads a list, that of addresses as such.
func (w *walk) list(depth int, key string) error {
	ours := depth == 0 || key == "Addresses"
	w.found = w.found || ours
	for w.in.More() {
		if !ours {
			if err := w.value(depth+1, ""); err != nil {
				return err
			}
			continue
		}
		t, err := w.in.Token()
		if err != nil {
			return err
		}
		text, ok := t.(string)
		if !ok {
			return errors.New("the addresses of a set are texts")
		}
		if err := w.builder.add(text); err != nil {
			w.fault(err)
		}
	}
	_, err := w.in.Token()
	return err
}

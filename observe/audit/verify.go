package audit

import (
	"bufio"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Report is what Verify found of one chain.
type Report struct {
	Log      string   `json:"log"`
	Records  uint64   `json:"records"`
	First    uint64   `json:"first"` // number of the oldest record that is kept
	Last     uint64   `json:"last"`
	Hash     string   `json:"hash"`          // of the last record: note "LAST:HASH" elsewhere
	Key      string   `json:"key,omitempty"` // fingerprint of the key that signed the head
	Problems []string `json:"problems"`
}

// maxProblems is how many problems are told.
const maxProblems = 20

func (r *Report) problem(format string, args ...any) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// Verify reads the chain of a name in a folder and reports every place where it
// is not what was written. Keys are those that may have signed the head. From, "SEQ:HASH",
// is a record that was noted elsewhere: the chain must hold it still; "" for
// none.
func Verify(dir, name string, keys []ed25519.PublicKey, from string) (*Report, error) {
	r := &Report{Log: name, Problems: []string{}}
	wanted, hash, err := parseFrom(from)
	if err != nil {
		return nil, err
	}
	files, err := filesOf(dir, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	c := newChain(r)
	if wanted > 0 {
		c.noted[wanted] = ""
	}
	head, err := readHead(dir, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		head = nil
	case err != nil:
		r.problem("%v", err)
		head = nil
	default:
		c.noted[head.Seq] = ""
	}
	for i, f := range files {
		if err := c.read(f, i == len(files)-1); err != nil {
			return nil, err
		}
	}
	c.end()
	c.holdHead(head, name, keys)
	if found, there := c.noted[wanted]; wanted > 0 && there && found != hash {
		r.problem("record %d is not the one that was noted, or is gone", wanted)
	}
	return r, nil
}

func parseFrom(from string) (seq uint64, hash string, err error) {
	if from == "" {
		return 0, "", nil
	}
	number, hash, ok := strings.Cut(from, ":")
	seq, err = strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || seq == 0 || len(hash) != 64 {
		return 0, "", errors.New("a noted record is written SEQ:HASH, as `gatehouse audit verify` prints it")
	}
	return seq, hash, nil
}

// chain is a chain that is read.
type chain struct {
	report *Report
	seq    uint64
	last   string
	start  *Record           // the first record, where it is not number 1
	noted  map[uint64]string // digests of records that are asked for
	pruned bool              // a record explains where the chain begins
}

func newChain(r *Report) *chain {
	return &chain{report: r, last: beginning(), noted: map[uint64]string{}}
}

// read reads a file. Only the last one may end within a line: that of a crash.
func (c *chain) read(f file, isLast bool) error {
	text, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer text.Close()
	return c.readFrom(text, f.path, isLast)
}

func (c *chain) readFrom(text io.Reader, path string, isLast bool) error {
	lines := bufio.NewReaderSize(text, maxLine)
	for n := 1; ; n++ {
		line, err := lines.ReadSlice('\n')
		switch {
		case err == io.EOF && len(line) == 0:
			return nil
		case err == io.EOF && isLast:
			return nil // was never acknowledged
		case err == io.EOF:
			c.report.problem("%s:%d: the file was cut", path, n)
			return nil
		case err == bufio.ErrBufferFull:
			c.report.problem("%s:%d: the line is longer than any record", path, n)
			return nil
		case err != nil:
			return err
		}
		c.take(line[:len(line)-1], fmt.Sprintf("%s:%d", path, n))
	}
}

// take looks at one line.
func (c *chain) take(line []byte, at string) {
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		c.report.problem("%s: no record stands here", at)
		c.seq, c.last = c.seq+1, digest(line)
		return
	}
	switch {
	case c.report.Records == 0 && r.Seq > 1:
		c.start = &r
	case r.Seq != c.seq+1:
		c.report.problem("%s: record %d follows record %d", at, r.Seq, c.seq)
	case r.Prev != c.last:
		c.report.problem("%s: record %d was changed, or put in another's place", at, c.seq)
	}
	if r.Act == "audit.broken" {
		c.report.problem("%s: at the start the log ended at record %s, where its head said %s", at, r.Detail["found"], r.Detail["head"])
	}
	if c.start != nil && r.Act == actPruned && r.Detail["through"] == strconv.FormatUint(c.start.Seq-1, 10) && r.Detail["hash"] == c.start.Prev {
		c.pruned = true
	}
	if c.report.Records == 0 {
		c.report.First = r.Seq
	}
	c.report.Records++
	c.seq, c.last = r.Seq, digest(line)
	if _, asked := c.noted[r.Seq]; asked {
		c.noted[r.Seq] = c.last
	}
}

func (c *chain) end() {
	c.report.Last, c.report.Hash = c.seq, c.last
	if c.start != nil && !c.pruned {
		c.report.problem("the records before %d are gone, and none says that they were let go", c.start.Seq)
	}
}

// holdHead holds the chain against its head.
func (c *chain) holdHead(h *Head, name string, keys []ed25519.PublicKey) {
	switch {
	case h == nil && c.report.Records == 0:
		return
	case h == nil:
		c.report.problem("the head is gone: nobody can tell whether the end of the log is missing")
		return
	}
	c.report.Key = h.Key
	switch {
	case !slices.ContainsFunc(keys, func(key ed25519.PublicKey) bool { return ed25519.Verify(key, h.signed(name), h.Signature) }):
		c.report.problem("the head is not signed by a key of this gateway")
	case h.Seq > c.seq:
		c.report.problem("the log ends at record %d, but went on to %d", c.seq, h.Seq)
	case c.noted[h.Seq] != h.Hash:
		c.report.problem("record %d is not the one that the head was signed for", h.Seq)
	}
}

package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/config/tree"
)

// Sources says where a configuration came from: every file that was read for
// it, and what would be read if it came into being. It keeps the text of the
// files, to echo the lines of problems. It is not safe for concurrent use.
type Sources struct {
	// Files are the files that were read, and those that were wanted and
	// could not be: the main file, included ones, values of type File and
	// ${file:...} references; sorted by path.
	Files []SourceFile
	// Globs are the absolute patterns of the includes. A file that comes to
	// match one of them is a change too.
	Globs []string

	texts   []*tree.File
	heavy   []*tree.File      // those of texts that Release lets go
	plain   map[string][]byte // what File values read, by path
	hides   []hide
	secrets []string // the keys that hold secrets, for lines that were not decoded
	matched []string // what Globs matched
	absent  map[string]bool
}

// SourceFile is one file of a configuration.
type SourceFile struct {
	Path   string `json:"path"`             // absolute
	SHA256 string `json:"sha256,omitempty"` // in hex; empty where the file could not be read

	info fs.FileInfo // as it was when it was read; nil where it was absent
	read time.Time
}

// hide is a value that no message may tell, what is told instead, and where it
// is used.
type hide struct {
	value, instead string
	at             Pos
}

// hide keeps value out of the messages to come. What is shorter than four
// characters tells nothing, and would riddle messages with holes.
func (s *Sources) hide(value, instead string, at Pos) {
	if len(value) >= 4 {
		s.hides = append(s.hides, hide{value, instead, at})
	}
}

// read records and returns the content of a file.
func (s *Sources) read(path string, limit int64, open func() (*os.File, error)) ([]byte, error) {
	file := SourceFile{Path: path, read: time.Now()}
	f, err := open()
	if err != nil {
		s.record(file)
		return nil, reason(err)
	}
	defer f.Close()
	file.info, _ = f.Stat()
	content, err := readAtMost(f, limit)
	if err != nil {
		s.record(file)
		return nil, reason(err)
	}
	file.SHA256 = sum(content)
	s.record(file)
	return content, nil
}

// keep remembers the content of a File, should a problem be found in it.
func (s *Sources) keep(path string, content []byte) {
	if s.plain == nil {
		s.plain = make(map[string][]byte)
	}
	s.plain[path] = content
}

// Release lets go of the texts of documents, once nothing more will be found in
// them, and returns how many bytes these were: lines of theirs are echoed no more.
func (s *Sources) Release() int {
	size := 0
	for _, f := range s.heavy {
		size += f.Size()
	}
	s.texts = slices.DeleteFunc(s.texts, func(f *tree.File) bool { return slices.Contains(s.heavy, f) })
	s.heavy = nil
	return size
}

// record adds a file, or what is known of it now.
func (s *Sources) record(file SourceFile) {
	i, found := slices.BinarySearchFunc(s.Files, file.Path, func(f SourceFile, path string) int { return cmp.Compare(f.Path, path) })
	if found {
		s.Files[i] = file
		return
	}
	s.Files = slices.Insert(s.Files, i, file)
}

func sum(content []byte) string {
	h := sha256.Sum256(content)
	return hex.EncodeToString(h[:])
}

// Changed reports whether a file has another content than when it was read, or
// another set of files matches the includes. A file is read again only where
// its time, its size or the file itself differ. A file that is gone counts
// from the second call on: whoever replaces it may be between removing the old
// and renaming the new.
func (s *Sources) Changed() bool {
	gone := make(map[string]bool)
	changed := false
	for i := range s.Files {
		changed = s.Files[i].changed(gone) || changed
	}
	matched := s.glob()
	for _, path := range s.matched {
		if !slices.Contains(matched, path) {
			gone[path] = true
		}
	}
	for _, path := range matched {
		changed = changed || !slices.Contains(s.matched, path)
	}
	for path := range gone {
		changed = changed || s.absent[path]
	}
	s.absent = gone
	return changed
}

// Quiet reports whether nobody has written to any of the files within the last
// d: what is being written is better read once it is whole.
func (s *Sources) Quiet(d time.Duration) bool {
	paths := s.glob()
	for i := range s.Files {
		paths = append(paths, s.Files[i].Path)
	}
	return !slices.ContainsFunc(paths, func(path string) bool {
		info, err := os.Stat(path)
		if err != nil {
			return false
		}
		age := time.Since(info.ModTime())
		return 0 <= age && age < d // a time to come says nothing
	})
}

// glob returns what the includes match now.
func (s *Sources) glob() []string {
	var paths []string
	for _, pattern := range s.Globs {
		found, _ := glob(pattern)
		paths = append(paths, found...)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// raceWindow is how long after a change of a file another one may leave its
// time as it is.
const raceWindow = 2 * time.Second

func (f *SourceFile) changed(gone map[string]bool) bool {
	info, err := os.Stat(f.Path)
	if err != nil {
		if f.SHA256 != "" {
			gone[f.Path] = true
		}
		return false
	}
	same := f.info != nil && os.SameFile(info, f.info) && info.Size() == f.info.Size() && info.ModTime().Equal(f.info.ModTime())
	if same && f.read.Sub(info.ModTime()) > raceWindow {
		return false
	}
	if f.SHA256 == "" && same {
		return false // as unreadable as it was
	}
	return f.rehash(info)
}

// rehash reads the file again and, where it is the same, remembers its new
// time, so that it is not read at every call.
func (f *SourceFile) rehash(info fs.FileInfo) bool {
	now := time.Now()
	file, err := openRegular(f.Path)
	if err != nil {
		return false
	}
	defer file.Close()
	h := sha256.New() // piece by piece: a definition may be large
	n, err := io.Copy(h, io.LimitReader(file, maxStream+1))
	if err != nil || n > maxStream {
		return f.SHA256 != ""
	}
	if hex.EncodeToString(h.Sum(nil)) != f.SHA256 {
		return true
	}
	f.info, f.read = info, now
	return false
}

// scrub keeps what came from the environment, from files and from secrets out
// of what is said of a place.
func (s *Sources) scrub(text string, at Pos) string {
	if len(s.hides) == 0 {
		return text
	}
	text = quotedText.ReplaceAllStringFunc(text, func(quoted string) string { return s.scrubQuoted(quoted, at) })
	slices.SortStableFunc(s.hides, func(a, b hide) int { return len(b.value) - len(a.value) })
	var pairs []string
	for _, h := range s.hides {
		pairs = append(pairs, h.value, h.instead)
		if escaped := strconv.Quote(h.value); escaped[1:len(escaped)-1] != h.value {
			pairs = append(pairs, escaped[1:len(escaped)-1], h.instead)
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

var quotedText = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// scrubQuoted hides a text that a message quotes where it is part of a value
// that is used at that line: of a reference's value a reader may complain of no
// more than a segment.
func (s *Sources) scrubQuoted(quoted string, at Pos) string {
	const telling = 3
	part, err := strconv.Unquote(quoted)
	part = strings.TrimSuffix(part, "...")
	if err != nil || len(part) < telling {
		return quoted
	}
	for _, h := range s.hides {
		if h.at.File == at.File && h.at.Line == at.Line && strings.Contains(h.value, part) {
			return `"` + h.instead + `"`
		}
	}
	return quoted
}

// echo fills in the line of a problem, from the text as it was read.
func (s *Sources) echo(p *Problem) {
	for _, f := range s.texts {
		if f.Name == p.Pos.File {
			p.Line, p.caret = f.Echo(p.Pos, s.secrets)
			return
		}
	}
	for path, content := range s.plain {
		if path == p.Pos.File {
			p.Line, p.caret = tree.NewFile(path, content).Echo(p.Pos, nil)
			return
		}
	}
}

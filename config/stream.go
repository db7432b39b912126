package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"time"
)

// maxStream is the largest file that Stream reads.
const maxStream = 256 << 20

// Stream reads the file that n names piece by piece, up to limit bytes, where it is
// too large to be kept as a File. It is configuration as every file that is named:
// a change of it is a reload. What read finds at a line it tells by fault. Where
// the file cannot be read, that is reported, and false returned.
func (n *Node) Stream(limit int64, read func(r io.Reader, fault func(line int, err error))) bool {
	text, ok := n.d.scalarText(n, "a file")
	if !ok {
		return false
	}
	path, err := n.d.resolvePath(n.source(), text)
	if err == nil {
		name := displayName(n.source(), path)
		err = n.d.sources.stream(path, min(limit, maxStream), n.d.opener(n.source(), path), func(r io.Reader) {
			read(r, func(line int, err error) {
				n.d.report.Add(Problem{Pos: Pos{File: name, Line: line, Column: 1}, Message: err.Error()})
			})
		})
	}
	if err != nil {
		n.problem("relative paths start at the folder of the file that says them", n.naming()+err.Error())
	}
	return err == nil
}

// opener returns what opens a file that src names.
func (d *decoder) opener(src *source, path string) func() (*os.File, error) {
	if src.jail != nil {
		return func() (*os.File, error) { return openWithin(src.dir, path) }
	}
	return func() (*os.File, error) { return openRegular(path) }
}

// stream records a file, with the content that read sees.
func (s *Sources) stream(path string, limit int64, open func() (*os.File, error), read func(io.Reader)) error {
	file := SourceFile{Path: path, read: time.Now()}
	defer func() { s.record(file) }()
	f, err := open()
	if err != nil {
		return reason(err)
	}
	defer f.Close()
	if file.info, err = f.Stat(); err != nil {
		return reason(err)
	}
	if file.info.Size() > limit {
		return fmt.Errorf("is larger than %v", Size(limit))
	}
	h := sha256.New()
	in := &noted{r: io.TeeReader(io.LimitReader(f, limit), h)}
	read(in)
	if _, err := io.Copy(io.Discard, in); err != nil { // what nobody wanted counts too
		return reason(err)
	}
	if in.err != nil {
		return reason(in.err)
	}
	file.SHA256 = hex.EncodeToString(h.Sum(nil))
	return nil
}

// noted remembers the error that a reader ended with.
type noted struct {
	r   io.Reader
	err error
}

func (n *noted) Read(p []byte) (int, error) {
	c, err := n.r.Read(p)
	if err != nil && err != io.EOF {
		n.err = err
	}
	return c, err
}

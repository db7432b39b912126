package function

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

// preludeType is the content type of a streamed answer that begins with its head:
// JSON, then preludeEnd, then the body.
const preludeType = "application/vnd.awslambda.http-integration-response"

// preludeEnd ends the head of a streamed answer.
const preludeEnd = "\x00\x00\x00\x00\x00\x00\x00\x00"

// maxPrelude is how long a streamed answer's head may be.
const maxPrelude = 64 << 10

// Stream is an answer that comes bit by bit. Its reader closes it; until then the
// process waits, as far as its function's timeout lets it.
type Stream struct {
	Type string // what the function says of its bytes: application/octet-stream

	body    io.Reader
	trailer http.Header
	begun   []byte // read beyond the prelude
	once    sync.Once
	over    chan struct{}
}

// streams reports whether an answer comes bit by bit.
func streams(r *http.Request) bool {
	for _, v := range r.Header[modeHeader] {
		if strings.EqualFold(v, "streaming") {
			return true
		}
	}
	return r.Header.Get("Content-Type") == preludeType
}

// stream lets whoever waits for v read the answer, and waits until that is done.
func (in *instance) stream(r *http.Request, v *invocation) {
	s := &Stream{Type: r.Header.Get("Content-Type"), body: r.Body, trailer: r.Trailer, over: make(chan struct{})}
	if v.settle(Result{Outcome: Answered, Stream: s}) {
		<-s.over
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		panic(http.ErrAbortHandler) // the process has ended
	}
}

// ErrCut is what a Stream returns whose function failed in the middle of it.
var ErrCut = errors.New("the function failed within its answer")

// Read implements io.Reader. The error is io.EOF at the end of a whole answer
// alone.
func (s *Stream) Read(p []byte) (int, error) {
	if len(s.begun) > 0 {
		n := copy(p, s.begun)
		s.begun = s.begun[n:]
		return n, nil
	}
	n, err := s.body.Read(p)
	if err == io.EOF && len(s.trailer[errorHeader]) > 0 && s.trailer[errorHeader][0] != "" {
		return n, ErrCut
	}
	return n, err
}

// Close lets the process go on.
func (s *Stream) Close() {
	s.once.Do(func() { close(s.over) })
}

// Prelude returns the JSON before the body; nil where the answer has none.
func (s *Stream) Prelude() ([]byte, error) {
	if s.Type != preludeType {
		return nil, nil
	}
	var all []byte
	buf := make([]byte, 4<<10)
	for {
		n, err := s.body.Read(buf)
		from := max(len(all)-len(preludeEnd), 0)
		all = append(all, buf[:n]...)
		if at := bytes.Index(all[from:], []byte(preludeEnd)); at >= 0 {
			s.begun = all[from+at+len(preludeEnd):]
			return all[:from+at], nil
		}
		switch {
		case len(all) > maxPrelude:
			return nil, errors.New("the head of the streamed answer has more than 64 KiB, or no end")
		case err == io.EOF:
			return nil, errors.New("the streamed answer ended within its head")
		case err != nil:
			return nil, err
		}
	}
}

package desync

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Strict accepts the one form of a request that leaves nothing to a server's
// judgement: METHOD PATH HTTP/1.1, one Host, at most one of Content-Length and
// chunks without extensions, lines that end in CRLF.
func Strict(s string) (all []Request, err error) {
	for s != "" {
		r, n, err := next(s)
		if err != nil || n == 0 {
			return all, err
		}
		all = append(all, r)
		if !r.Whole {
			return all, nil
		}
		s = s[n:]
	}
	return all, nil
}

// next reads the first request of s and returns how long it is, as far as it is
// there: 0 where its head is not whole.
func next(s string) (r Request, n int, err error) {
	head, _, whole := strings.Cut(s, "\r\n\r\n")
	if !whole {
		return r, 0, nil
	}
	lines := strings.Split(head, "\r\n")
	if err := r.line(lines[0]); err != nil {
		return r, 0, err
	}
	if r.fields, err = fieldsOf(lines[1:]); err != nil {
		return r, 0, err
	}
	hosts, lengths, codings := r.Field("host"), r.Field("content-length"), r.Field("transfer-encoding")
	if len(hosts) != 1 || hosts[0] == "" || len(lengths)+len(codings) > 1 {
		return r, 0, fmt.Errorf("the fields Host %q, Content-Length %q and Transfer-Encoding %q", hosts, lengths, codings)
	}
	r.Host = hosts[0]
	n = len(head) + 4
	switch {
	case len(codings) == 1:
		if codings[0] != "chunked" {
			return r, 0, fmt.Errorf("the coding %q", codings[0])
		}
		return r, n, r.chunks(s[n:], &n)
	case len(lengths) == 1:
		length, err := strconv.ParseUint(lengths[0], 10, 50)
		if err != nil || strconv.FormatUint(length, 10) != lengths[0] {
			return r, 0, fmt.Errorf("the length %q", lengths[0])
		}
		r.Body = s[n:min(len(s), n+int(length))]
		r.Whole = len(r.Body) == int(length)
		return r, n + len(r.Body), nil
	}
	r.Whole = true
	return r, n, nil
}

func (r *Request) line(line string) error {
	parts := strings.Split(line, " ")
	if len(parts) != 3 || parts[2] != "HTTP/1.1" || !isName(parts[0]) || !strings.HasPrefix(parts[1], "/") {
		return fmt.Errorf("the request line %q", line)
	}
	for _, c := range []byte(parts[1]) {
		if c <= ' ' || c == 0x7f || c == '#' {
			return fmt.Errorf("the target %q", parts[1])
		}
	}
	r.Method, r.Target = parts[0], parts[1]
	return nil
}

func fieldsOf(lines []string) (fields [][2]string, err error) {
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isName(name) {
			return nil, fmt.Errorf("the field %q", line)
		}
		for _, c := range []byte(value) {
			if c < ' ' && c != '\t' || c == 0x7f {
				return nil, fmt.Errorf("the field %q", line)
			}
		}
		fields = append(fields, [2]string{name, strings.Trim(value, " \t")})
	}
	return fields, nil
}

func isName(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

// chunks reads a body in chunks, and moves n behind what there is of it.
func (r *Request) chunks(s string, n *int) error {
	for {
		line, rest, ok := strings.Cut(s, "\r\n")
		if !ok {
			return nil
		}
		size, err := strconv.ParseUint(line, 16, 40)
		if err != nil || strconv.FormatUint(size, 16) != line {
			return fmt.Errorf("the chunk's length %q", line)
		}
		*n, s = *n+len(line)+2, rest
		if size == 0 {
			return r.trailers(s, n)
		}
		r.Body += s[:min(len(s), int(size))]
		if len(s) < int(size)+2 {
			return nil
		}
		if s[size:size+2] != "\r\n" {
			return fmt.Errorf("behind a chunk %q", s[size:size+2])
		}
		*n, s = *n+int(size)+2, s[size+2:]
	}
}

func (r *Request) trailers(s string, n *int) (err error) {
	if strings.HasPrefix(s, "\r\n") {
		*n, r.Whole = *n+2, true
		return nil
	}
	section, _, whole := strings.Cut(s, "\r\n\r\n")
	if !whole {
		return nil
	}
	r.trailer, err = fieldsOf(strings.Split(section, "\r\n"))
	*n, r.Whole = *n+len(section)+4, true
	return err
}

// Standard reads with net/http.
func Standard(s string) (all []Request, err error) {
	text := strings.NewReader(s)
	src := bufio.NewReader(text)
	for {
		left := src.Buffered() + text.Len()
		if !strings.Contains(s[len(s)-left:], "\r\n\r\n") {
			return all, nil // net/http has many words for a head that was cut
		}
		req, err := http.ReadRequest(src)
		if err != nil {
			return all, err
		}
		body, err := io.ReadAll(req.Body)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return all, err
		}
		all = append(all, Request{Method: req.Method, Target: req.RequestURI, Host: req.Host, Body: string(body), Whole: err == nil})
		if err != nil {
			return all, nil
		}
	}
}

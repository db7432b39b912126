package http1

import (
	"net/http"
	"strconv"
	"strings"

	"gatehouse/http1/wire"
)

// frameRoom is what the lines that frame a body take at most, with the empty
// line that ends the head and a chunk's size.
const frameRoom = 64

// head writes the final head into out. What frames the body follows at once
// where the handler said the body's length, and later otherwise.
func (a *answer) head() {
	b := a.buffer()
	b = appendStatus(b, a.status)
	date := false
	for name, values := range a.header {
		switch name {
		case "Content-Length":
			a.takeLength(values)
			continue
		case "Connection":
			a.takeConnection(values)
			continue
		case "Transfer-Encoding", "Keep-Alive", "Proxy-Connection", "Upgrade":
			continue
		case "Trailer":
			a.announce(values)
			continue
		case "Date":
			date = true
		}
		if strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		for _, v := range values {
			b = wire.AppendField(b, name, v)
		}
	}
	if !date {
		b = append(b, "Date: "...)
		b = append(b, a.conn.server.clock.date()...)
		b = append(b, "\r\n"...)
	}
	a.out = b
	a.closes = a.closes || !a.conn.body.rest()
	a.frame()
}

func (a *answer) buffer() []byte {
	if a.out == nil {
		a.out = wire.Buffer(wire.SmallBuffer)[:0]
	}
	return a.out
}

// frame decides how the body ends (RFC 9112 section 6.3).
func (a *answer) frame() {
	switch {
	case a.status == http.StatusNoContent:
		a.length = -1
		a.endHead()
	case a.length >= 0:
		a.out = append(a.out, "Content-Length: "...)
		a.out = strconv.AppendInt(a.out, a.length, 10)
		a.out = append(a.out, "\r\n"...)
		a.trailer = nil
		a.endHead()
	case a.bodiless:
		a.endHead()
	case len(a.trailer) > 0 && a.conn.request.ProtoMinor > 0:
		a.out = append(a.out, "Trailer: "...)
		a.out = append(a.out, strings.Join(a.trailer, ", ")...)
		a.out = append(a.out, "\r\n"...)
		a.framing = len(a.out)
		a.frameOpen()
	default:
		a.framing = len(a.out)
	}
}

// frameOpen frames a body whose length is not known: by chunks, or by the end
// of the connection for a client that knows none.
func (a *answer) frameOpen() {
	gathered := len(a.out) - a.framing
	var lines [frameRoom]byte
	b := lines[:0]
	a.chunked = a.conn.request.ProtoMinor > 0
	if a.chunked {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	} else {
		a.closes = true
	}
	b = a.appendConnection(b)
	b = append(b, "\r\n"...)
	if a.chunked && gathered > 0 {
		b = appendChunkSize(b, gathered)
	}
	a.insert(b)
	if a.chunked && gathered > 0 {
		a.out = append(a.out, "\r\n"...)
	}
}

// frameWhole frames a body that has gathered whole.
func (a *answer) frameWhole() {
	a.length = int64(len(a.out) - a.framing)
	var lines [frameRoom]byte
	b := append(lines[:0], "Content-Length: "...)
	b = strconv.AppendInt(b, a.length, 10)
	b = append(b, "\r\n"...)
	b = a.appendConnection(b)
	a.insert(append(b, "\r\n"...))
}

// insert puts the end of the head before what of the body has gathered.
func (a *answer) insert(lines []byte) {
	at := a.framing
	a.framing = 0
	n := len(a.out)
	a.out = append(a.out, lines...)
	copy(a.out[at+len(lines):], a.out[at:n])
	copy(a.out[at:], lines)
}

// endHead ends the head where nothing of the body has gathered.
func (a *answer) endHead() {
	a.out = a.appendConnection(a.out)
	a.out = append(a.out, "\r\n"...)
}

// appendConnection says what becomes of the connection, where that does not go
// without saying.
func (a *answer) appendConnection(b []byte) []byte {
	switch {
	case a.closes:
		return append(b, "Connection: close\r\n"...)
	case a.conn.request.ProtoMinor == 0:
		return append(b, "Connection: keep-alive\r\n"...)
	}
	return b
}

// takeLength takes the length that the handler says the body has.
func (a *answer) takeLength(values []string) {
	if len(values) == 0 {
		return
	}
	if n, err := strconv.ParseUint(values[0], 10, 63); err == nil {
		a.length = int64(n)
	}
}

// takeConnection takes from the handler's Connection field that the connection
// is to end. Everything else there is the engine's to say.
func (a *answer) takeConnection(values []string) {
	for _, v := range values {
		for token := range strings.SplitSeq(v, ",") {
			a.closes = a.closes || strings.EqualFold(strings.TrimSpace(token), "close")
		}
	}
}

func appendStatus(b []byte, status int) []byte {
	if status == http.StatusOK {
		return append(b, "HTTP/1.1 200 OK\r\n"...)
	}
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(status)...)
	return append(b, "\r\n"...)
}

// inform sends an informational head with the fields that are set now. A client
// of HTTP/1.0 would take it for the answer.
func (a *answer) inform(status int) {
	if a.conn.request.ProtoMinor == 0 || status == http.StatusSwitchingProtocols {
		return
	}
	if status == http.StatusContinue {
		a.invite()
		return
	}
	b := appendStatus(a.buffer(), status)
	for name, values := range a.header {
		switch name {
		case "Content-Length", "Transfer-Encoding", "Connection", "Trailer":
			continue
		}
		for _, v := range values {
			b = wire.AppendField(b, name, v)
		}
	}
	a.out = append(b, "\r\n"...)
	_, err := a.conn.net.Write(a.out)
	a.out = a.out[:0]
	_ = a.note(err)
}

// refuse writes the answer to a request that no handler saw. To one by HEAD
// the body is only announced.
func (a *answer) refuse(status int, header http.Header, body []byte, bodiless bool) {
	b := appendStatus(a.buffer()[:0], status)
	for name, values := range header {
		switch name {
		case "Content-Length", "Transfer-Encoding", "Connection":
			continue
		}
		for _, v := range values {
			b = wire.AppendField(b, name, v)
		}
	}
	b = append(b, "Date: "...)
	b = append(b, a.conn.server.clock.date()...)
	b = append(b, "\r\nConnection: close\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	if !bodiless {
		b = append(b, body...)
	}
	a.out = b
	_ = a.flush()
}

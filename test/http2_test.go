package test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// stream is a request by HTTP/2 to the letter.
type stream struct {
	fields  [][2]string
	data    []string // frames; nil ends the stream with its fields
	trailer [][2]string
}

// frames is an HTTP/2 connection that sends whatever it is told to.
type frames struct {
	*http2.Framer
	conn   net.Conn
	block  bytes.Buffer
	hpack  *hpack.Encoder
	stream uint32 // the next one
	begun  bool
	failed error // of the last header block
}

// next returns the number of a new stream.
func (f *frames) next() uint32 {
	f.stream += 2
	return f.stream - 2
}

// dialFrames opens a connection and says what must be said first, with settings
// of its own.
func (r *running) dialFrames(t testing.TB, settings ...http2.Setting) *frames {
	t.Helper()
	conn, err := message{}.connect(r, "h2")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	f, err := newFrames(conn, settings...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// newFrames begins to speak HTTP/2 on a connection.
func newFrames(conn net.Conn, settings ...http2.Setting) (*frames, error) {
	f := greeted(conn)
	return f, f.WriteSettings(settings...)
}

// greeted says on a connection that it is HTTP/2, and nothing more.
func greeted(conn net.Conn) *frames {
	f := &frames{Framer: http2.NewFramer(conn, conn), conn: conn, stream: 1}
	f.AllowIllegalWrites = true
	f.hpack = hpack.NewEncoder(&f.block)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_, _ = io.WriteString(conn, http2.ClientPreface)
	return f
}

func (f *frames) headers(fields [][2]string, ends bool) {
	f.block.Reset()
	for _, field := range fields {
		_ = f.hpack.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	f.failed = f.WriteHeaders(http2.HeadersFrameParam{StreamID: f.stream, BlockFragment: f.block.Bytes(), EndHeaders: true, EndStream: ends})
}

// outcome is what became of a stream: a status, "reset", or "" where the
// connection ended.
type outcome struct{ status, body string }

// refused reports whether the request was none to the gateway.
func (o outcome) refused() bool { return o.status == "" || o.status == "reset" || o.status[0] == '4' }

// ask sends a request and waits for what becomes of it.
func (f *frames) ask(s stream) outcome {
	defer func() { f.stream += 2 }()
	f.headers(s.fields, s.data == nil && s.trailer == nil)
	for i, data := range s.data {
		_ = f.WriteData(f.stream, i == len(s.data)-1 && s.trailer == nil, []byte(data))
	}
	if s.trailer != nil {
		f.headers(s.trailer, true)
	}
	return f.await(f.stream)
}

// await reads frames until a stream has ended.
func (f *frames) await(stream uint32) (o outcome) {
	_ = f.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		frame, err := f.ReadFrame()
		if wrong, ok := errors.AsType[http2.StreamError](err); ok && wrong.StreamID != stream {
			continue
		}
		if err != nil {
			return outcome{}
		}
		if frame.Header().StreamID != stream {
			continue
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			if status := frame.PseudoValue("status"); status != "" {
				o.status = status
			}
		case *http2.DataFrame:
			o.body += string(frame.Data())
			_ = f.WriteWindowUpdate(0, max(1, frame.Length))
		case *http2.RSTStreamFrame:
			if o.status == "" || o.status[0] == '2' {
				o.status = "reset"
			}
			return o
		}
		if frame.Header().Flags.Has(http2.FlagDataEndStream) {
			return o
		}
	}
}

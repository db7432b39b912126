package compress

import (
	"bufio"
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"
	kzstd "github.com/klauspost/compress/zstd"

	"gatehouse/exchange"
)

// feed is a client that sees what was flushed, and nothing else: its Read
// fails where a client's would wait.
type feed struct {
	header  http.Header
	buf     bytes.Buffer
	flushed int
	read    int
	status  int
	ended   bool
}

func (f *feed) Header() http.Header         { return f.header }
func (f *feed) WriteHeader(status int)      { f.status = status }
func (f *feed) Write(p []byte) (int, error) { return f.buf.Write(p) }
func (f *feed) FlushError() error           { f.flushed = f.buf.Len(); return nil }

var errWait = errors.New("nothing more was flushed")

func (f *feed) Read(p []byte) (int, error) {
	if f.read == f.flushed {
		if f.ended {
			return 0, io.EOF
		}
		return 0, errWait
	}
	n := copy(p, f.buf.Bytes()[f.read:f.flushed])
	f.read += n
	return n, nil
}

// decoderOf returns a reader that decodes as it reads.
func decoderOf(t *testing.T, c string, r io.Reader) io.Reader {
	t.Helper()
	switch c {
	case "gzip":
		// One byte at a time, so that it does not read ahead over what is there.
		z, err := stdgzip.NewReader(bufio.NewReaderSize(r, 16))
		if err != nil {
			t.Fatal(err)
		}
		return z
	case "br":
		return brotli.NewReader(r)
	}
	z, err := kzstd.NewReader(r, kzstd.WithDecoderConcurrency(1), kzstd.WithDecoderLowmem(true))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(z.Close)
	return z
}

// What is flushed is seen at once, event by event, and the start too: neither
// the look for the body's size nor the encoder keep it.
func TestFlush(t *testing.T) {
	for _, c := range []string{"gzip", "br", "zstd"} {
		f := &feed{header: make(http.Header)}
		events := []string{"data: one\n\n", "data: two\n\n", strings.Repeat("data: long\n", 20_000) + "\n", "data: last\n\n"}
		var decoder io.Reader
		r := newRoute(t, "{types: [text/event-stream]}", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			flusher := http.NewResponseController(w)
			if err := flusher.Flush(); err != nil || f.status != 200 || f.header.Get("Content-Encoding") != c {
				t.Errorf("%s: the head was kept: %v %d %v", c, err, f.status, f.header)
			}
			for _, e := range events {
				_, _ = io.WriteString(w, e)
				if err := flusher.Flush(); err != nil {
					t.Fatal(err)
				}
				if decoder == nil {
					decoder = decoderOf(t, c, f)
				}
				got := make([]byte, len(e))
				if n, err := io.ReadFull(decoder, got); err != nil || string(got) != e {
					t.Fatalf("%s: %d bytes of an event of %d were there: %v", c, n, len(e), err)
				}
			}
		})
		x := r.send(t, f, "GET Accept-Encoding: "+c)
		x.Finish()
		_ = f.FlushError()
		f.ended = true
		if rest, err := io.ReadAll(decoder); err != nil || len(rest) > 0 {
			t.Errorf("%s: at the end %q, %v", c, rest, err)
		}
		if x.Aborted {
			t.Errorf("%s: aborted", c)
		}
	}
}

// A small body whose target flushes it before its end cannot be seen to be
// small: it is coded, and complete.
func TestFlushOfLittle(t *testing.T) {
	for _, c := range []string{"gzip", "br", "zstd"} {
		for _, text := range []string{"", "ab"} {
			r := newRoute(t, on, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				_, _ = io.WriteString(w, text)
				w.(http.Flusher).Flush()
			})
			rec, _ := r.ask(t, "GET Accept-Encoding: "+c)
			if rec.Header().Get("Content-Encoding") != c || decoded(t, rec) != text {
				t.Errorf("%s %q: %v", c, text, rec.Header())
			}
		}
	}
}

// A body that breaks off must not look whole, whatever had been flushed.
func TestAbort(t *testing.T) {
	for _, c := range []string{"gzip", "br", "zstd"} {
		for _, flushed := range []bool{true, false} {
			r := newRoute(t, on, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				_, _ = w.Write(orders(300_000))
				if flushed {
					w.(http.Flusher).Flush()
				}
			})
			rec := httptest.NewRecorder()
			x := r.send(t, rec, "GET Accept-Encoding: "+c)
			x.Abort()
			if _, cut := decode(t, c, rec.Body); !cut {
				t.Errorf("%s, flushed %v: the body looks whole", c, flushed)
			}
			if used := r.keeper.Usage().Used; used != 0 {
				t.Errorf("%s: %d bytes are still taken", c, used)
			}
			// The encoder serves the next answer as if nothing had been.
			again, _ := r.ask(t, "GET Accept-Encoding: "+c)
			if decoded(t, again) != string(orders(300_000)) {
				t.Errorf("%s: the next answer is another", c)
			}
		}
	}
}

// broken is a client that goes away after some bytes.
type broken struct {
	http.ResponseWriter
	left int
}

var errGone = errors.New("gone")

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errGone
	}
	return b.ResponseWriter.Write(p)
}

// A client that goes away ends the writing, in the middle or at the end.
func TestClientGone(t *testing.T) {
	for _, c := range []string{"gzip", "br", "zstd"} {
		for left, atEnd := range map[int]bool{5: false, 1000: false, 299_000: true} {
			var failed error
			r := newRoute(t, "{min-size: 0}", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				body := noise(300_000)
				for i := 0; i < len(body) && failed == nil; i += 10_000 {
					_, failed = w.Write(body[i : i+10_000])
				}
			})
			rec := httptest.NewRecorder()
			x := r.send(t, &broken{rec, left}, "GET Accept-Encoding: "+c)
			if failed != nil {
				x.Abort() // as whoever writes does
			} else {
				x.Finish()
			}
			if !atEnd && !errors.Is(failed, errGone) || !x.Aborted {
				t.Errorf("%s after %d: %v, aborted %v", c, left, failed, x.Aborted)
			}
			if used := r.keeper.Usage().Used; used != 0 {
				t.Errorf("%s: %d bytes are still taken", c, used)
			}
		}
	}
}

// panicking is a client whose connection panics within a write.
type panicking struct{ http.ResponseWriter }

func (panicking) Write([]byte) (int, error) { panic("within the engine") }

// A panic that comes through an encoder leaves nothing behind, the encoder
// included.
func TestPanic(t *testing.T) {
	r := newRoute(t, on, answering(200, "Content-Type: text/plain", string(noise(300_000))))
	made := 0
	make := recipes[Default][zstd].make
	r.chain.(*filter).shops[zstd] = shop{recipe{1, func() encoder { made++; return make() }}, new(sync.Pool)}
	func() {
		rec := httptest.NewRecorder()
		req := httptest.NewRequest("GET", "/", nil)
		req.Header.Set("Accept-Encoding", "zstd")
		x, req := exchange.Begin(panicking{rec}, req, &exchange.Conn{}, nil)
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
			x.Abort()
		}()
		r.chain.ServeHTTP(&x.Writer, req)
	}()
	if used := r.keeper.Usage().Used; used != 0 {
		t.Errorf("%d bytes are still taken", used)
	}
	rec, _ := r.ask(t, "GET Accept-Encoding: zstd")
	if decoded(t, rec) != string(noise(300_000)) {
		t.Error("the next answer is another")
	}
	if made != 2 {
		t.Error("the encoder was used again")
	}
}

// Trailers stay, and stay announced.
func TestTrailers(t *testing.T) {
	r := newRoute(t, on, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Trailer", "X-Sum")
		_, _ = w.Write(orders(5000))
		w.Header().Set("X-Sum", "42")
	})
	rec, _ := r.ask(t, "GET Accept-Encoding: gzip")
	if rec.Result().Trailer.Get("X-Sum") != "42" || decoded(t, rec) != string(orders(5000)) {
		t.Errorf("%v", rec.Result().Trailer)
	}
}

package exchange

import (
	"bytes"
	"io"
	"net/http"
)

// Head is the head of the final answer just before it is sent. Hooks may
// change it.
type Head struct {
	Exchange *Exchange
	Status   int
	Header   http.Header

	writer *Writer
	hold   *hold
}

// HasBody reports whether the answer may have a body at all: not to HEAD, and
// not with 204 or 304.
func (h *Head) HasBody() bool { return bodyAllowed(h.Exchange.Method, h.Status) }

// BodyFilter changes an answer's body on its way to the client.
type BodyFilter interface {
	io.Writer
	// Flush passes on what can be passed on now.
	Flush() error
	// Close passes on all that is left: the body is complete.
	Close() error
	// Abort gives up: the body stays incomplete and nothing more is written.
	Abort()
}

// Filter adds a body filter; make gets the writer that it writes to. What
// depends on the body's bytes, Content-Length and Accept-Ranges, is taken from
// the head, also where the answer is one to HEAD, or a 304, and says what a body
// would be; then make is never called. A filter that a hook adds after it asked
// for a Hold filters what is held.
func (h *Head) Filter(make func(next io.Writer) BodyFilter) {
	h.Header.Del("Content-Length")
	h.Header.Del("Accept-Ranges")
	if !h.HasBody() {
		return
	}
	h.writer.filters = append(h.writer.filters, make)
}

// Hold keeps the body back, up to limit bytes, before the head is sent. Then
// is called once, with the body and whether that is all of it: where it is not,
// the body has more than limit bytes, or the gateway's budget for bodies is used
// up, and what was not held follows unseen. Then may change the head, may add
// a filter, which gets what it returns and all that follows, and returns the
// bytes to send in place of those held, which it may change but not
// keep. Hooks that come after this one run after then. At most one hold may be
// asked for in a hook; without a body, then is called as soon as the hook has
// returned. It is not called for an answer that is aborted, or given up for a
// refusal.
func (h *Head) Hold(limit int, then func(h *Head, body []byte, complete bool) []byte) {
	h.hold = &hold{writer: h.writer, limit: limit, then: then}
}

// Look is Hold for a decision that is to keep nobody waiting: a Flush ends it
// too, and what was held, nothing perhaps, is then not complete.
func (h *Head) Look(limit int, then func(h *Head, body []byte, complete bool) []byte) {
	h.hold = &hold{writer: h.writer, limit: limit, then: then, yields: true}
}

// hold is the body filter behind Head.Hold: it gathers, decides, and then
// passes everything on to what comes after it.
type hold struct {
	writer *Writer
	limit  int
	then   func(*Head, []byte, bool) []byte
	yields bool // to a flush
	buf    bytes.Buffer
	taken  int64      // of the budget
	next   BodyFilter // nil while holding
}

func (d *hold) Write(p []byte) (int, error) {
	if d.next != nil {
		return d.next.Write(p)
	}
	n := int64(len(p))
	fits := d.writer.x.Body.budget.take(n)
	if fits {
		d.taken += n
	}
	d.buf.Write(p)
	if fits && d.buf.Len() <= d.limit {
		return len(p), nil
	}
	if err := d.release(false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush while holding does nothing, unless the hold yields to it: what is held
// is not to be seen yet.
func (d *hold) Flush() error {
	if d.next == nil && !d.yields {
		return nil
	}
	if d.next == nil {
		if err := d.release(false); err != nil {
			return err
		}
	}
	return d.next.Flush()
}

func (d *hold) Close() error {
	if d.next == nil {
		if err := d.release(true); err != nil {
			d.next.Abort()
			return err
		}
	}
	return d.next.Close()
}

func (d *hold) Abort() {
	if d.next != nil {
		d.next.Abort()
		return
	}
	d.drop()
}

// drop lets go of what is held.
func (d *hold) drop() {
	d.writer.x.Body.budget.give(d.taken)
	d.taken, d.buf = 0, bytes.Buffer{}
}

func (d *hold) release(complete bool) error {
	w := d.writer
	body := w.decide(d, complete)
	if complete || len(body) != d.buf.Len() {
		w.head.Header.Del("Content-Length")
	}
	length := -1
	if complete {
		length = len(body)
	}
	if d.next = w.runHooks(length); d.next == nil {
		d.next = engineFilter{w}
	}
	defer d.drop()
	if len(body) == 0 {
		return nil
	}
	_, err := d.next.Write(body)
	return err
}

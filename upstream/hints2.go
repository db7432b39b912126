package upstream

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"

	"gatehouse/http1/wire"
)

// hints passes Early Hints on while an answer by HTTP/2 is awaited. They come on
// the connection's own goroutine, which serves other clients too and must not
// wait for this one.
type hints struct {
	w http.ResponseWriter

	mu      sync.Mutex
	idle    sync.Cond     // passing has become false
	waiting []http.Header // those to be passed on
	passing bool          // a goroutine does, and has w for itself
	count   int
	over    bool
}

// hints returns what passes Early Hints on; nil for a client that takes none.
func (c *call2) hints() *hints {
	if c.grpc || !c.r.ProtoAtLeast(1, 1) {
		return nil
	}
	h := &hints{w: c.w}
	h.idle.L = &h.mu
	return h
}

// into returns ctx with h in it.
func (h *hints) into(ctx context.Context) context.Context {
	if h == nil {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: h.got})
}

func (h *hints) got(status int, fields textproto.MIMEHeader) error {
	if status != http.StatusEarlyHints {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count++; h.over || h.count > wire.MaxInformational {
		return nil
	}
	h.waiting = append(h.waiting, http.Header(fields).Clone())
	if !h.passing {
		h.passing = true
		go h.pass()
	}
	return nil
}

// pass passes on what waits, until nothing does.
func (h *hints) pass() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.waiting) > 0 {
		early := h.waiting[0]
		h.waiting = h.waiting[1:]
		h.mu.Unlock()
		h.write(early)
		h.mu.Lock()
	}
	h.passing = false
	h.idle.Broadcast()
}

func (h *hints) write(early http.Header) {
	header := h.w.Header()
	own := maps.Clone(header)
	clear(header)
	for name, values := range early {
		if !wire.HopByHop(name) {
			header[name] = values
		}
	}
	h.w.WriteHeader(http.StatusEarlyHints)
	clear(header)
	maps.Copy(header, own)
}

// end waits for what is being passed on. Afterwards w is the caller's alone.
func (h *hints) end() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	for h.passing {
		h.idle.Wait()
	}
}

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
	w     http.ResponseWriter
	mu    sync.Mutex // held by who writes to w
	count int
	over  bool
}

// hints returns what passes Early Hints on; nil for a client that takes none.
func (c *call2) hints() *hints {
	if c.grpc || !c.r.ProtoAtLeast(1, 1) {
		return nil
	}
	return &hints{w: c.w}
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
	if h.count++; h.count <= wire.MaxInformational {
		early := http.Header(fields).Clone()
		go h.pass(early)
	}
	return nil
}

func (h *hints) pass(early http.Header) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return
	}
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
}

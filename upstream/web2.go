package upstream

import (
	"context"
	"io"
	"maps"
	"net/http"
	"strconv"

	"gatehouse/exchange"
	"gatehouse/upstream/grpcweb"
)

// webCall is a gRPC-Web call that is passed on as a gRPC call.
type webCall struct {
	messages string // what kind of messages it holds
	text     bool   // its bodies are in base64
	trailer  http.Header
	sent     messages // follows the answer's messages
	out      io.Writer
}

// asWeb returns a request's gRPC-Web side; nil for one that has none.
func asWeb(kind string) *webCall {
	messages, text, ok := grpcweb.Kind(kind)
	if !ok {
		return nil
	}
	return &webCall{messages: messages, text: text}
}

// request makes gRPC's fields of the request's.
func (w *webCall) request(h http.Header) {
	h["Content-Type"] = []string{grpcweb.GRPC(w.messages)}
	delete(h, "X-Grpc-Web")
	delete(h, "Accept")
	delete(h, "Accept-Encoding")
}

// body returns the request's messages.
func (w *webCall) body(src io.Reader) io.Reader {
	if w.text {
		return grpcweb.NewDecoder(src)
	}
	return src
}

// statusFields are where a gRPC answer without a message says how it ended.
var statusFields = [...]string{"Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin"}

// answer makes gRPC-Web's fields of the answer's, and reports false for an
// answer that is not gRPC's.
func (w *webCall) answer(h http.Header) bool {
	kind := first(h["Content-Type"])
	if !isGRPC(kind) {
		return false
	}
	h["Content-Type"] = []string{grpcweb.Web(kind, w.text)}
	delete(h, "Content-Length")
	delete(h, "Trailer")
	w.trailer = make(http.Header)
	for _, name := range statusFields {
		if values, said := h[name]; said {
			w.trailer[name] = values
			delete(h, name)
		}
	}
	return true
}

// deliverWeb passes a gRPC answer on, with its trailers in the body.
func (c *call2) deliverWeb(ctx context.Context, resp *http.Response) {
	c.w.WriteHeader(resp.StatusCode)
	c.x.Writer.Flush()
	c.web.out = c.w
	if c.web.text {
		c.web.out = grpcweb.NewEncoder(c.w)
	}
	if c.copy2(ctx, resp.Body, c.web) {
		maps.Copy(c.web.trailer, resp.Trailer)
		c.web.end()
	}
	c.letGo(false)
}

// Write implements io.Writer for the answer's messages.
func (w *webCall) Write(p []byte) (int, error) {
	w.sent.over(p)
	return w.out.Write(p)
}

// end writes the trailers.
func (w *webCall) end() {
	_, _ = w.out.Write(exchange.WebTrailer(nil, w.trailer))
}

// endWeb ends an answer that broke off by a status, which only stands between
// two messages.
func (c *call2) endWeb(f *failure) {
	if !c.web.sent.between() {
		c.abort(f)
	}
	c.noteBroken(f)
	c.web.trailer = http.Header{"Grpc-Status": {strconv.Itoa(f.grpcCode())}, "Grpc-Message": {brokenOff()}}
	c.web.end()
}

package exchange

import (
	"io"
	"net/http"
)

// Deny puts a refusal in the place of the answer whose head this is: for filters
// that see only in the answer that it must not go out. It is called in a hook, or
// in what Hold or Look call, which then returns nothing of what was held. What
// the target writes from now on goes nowhere. The request is noted as refused.
func (h *Head) Deny(r *http.Request, f Refusal) {
	x := h.Exchange
	f.fill()
	x.refusal = f
	x.Refused = &x.refusal
	x.Trail.Add(f.Rule, Denied, f.Detail)
	keep := make(http.Header)
	for _, name := range [...]string{"X-Amzn-Requestid", "Strict-Transport-Security"} {
		if v, ok := h.Header[name]; ok {
			keep[name] = v // from hooks that may have run already
		}
	}
	clear(h.Header)
	for name, values := range keep {
		h.Header[name] = values
	}
	f.describe(h.Header, x.ID)
	if r.ProtoMajor > 1 {
		delete(h.Header, "Connection")
	}
	var body []byte
	switch {
	case isGRPC(r):
		h.Status = http.StatusOK
		h.Header.Set("Content-Type", "application/grpc")
		h.Header.Set("Grpc-Status", f.grpcStatus())
		h.Header.Set("Grpc-Message", GRPCMessage(f.Message))
	default:
		h.Header.Set("Cache-Control", "no-store")
		if h.Status, body = respond(x, r, h.Header); body == nil {
			body = f.text(h.Header)
		}
	}
	h.Filter(func(next io.Writer) BodyFilter { return &instead{next: next, body: body} })
}

// instead writes one body in the place of another.
type instead struct {
	next io.Writer
	body []byte
	sent bool
}

func (i *instead) send() error {
	if i.sent {
		return nil
	}
	i.sent = true
	_, err := i.next.Write(i.body)
	return err
}

func (i *instead) Write(p []byte) (int, error) { return len(p), i.send() }
func (i *instead) Flush() error                { return i.send() }
func (i *instead) Close() error                { return i.send() }
func (i *instead) Abort()                      {}

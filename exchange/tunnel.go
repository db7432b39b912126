package exchange

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Tunnel is what is known of a request that became, or is to become, a tunnel:
// two connections between which bytes pass.
type Tunnel struct {
	// What it may do, set before it is open.
	MaxAge time.Duration // it ends after that
	Idle   time.Duration // it ends when nothing has passed for so long
	Until  time.Time     // it ends then; zero for no such time

	// Run passes the bytes, until the tunnel ends. The target sets it once the
	// connections are joined, for the entry to call when the chain has returned:
	// by then nothing of the request is needed any more.
	Run func()

	// What became of it, set when it has ended.
	Open bool   // it was opened
	In   int64  // bytes from the client
	Out  int64  // bytes to it
	End  string // why it ended, in one word: "client", "service", "idle", "age" ...
}

// Ready reports whether the tunnel is to be run; never for a nil t.
func (t *Tunnel) Ready() bool { return t != nil && t.Run != nil }

// streamer is an engine's answer to a request that asks for a tunnel within a
// connection, as HTTP/2 does. It sends the head by itself.
type streamer interface {
	SwitchStream() (net.Conn, error)
}

// Switch begins the one answer after which a connection speaks another
// protocol: it runs the hooks on a 101 whose fields are Header's, and takes the
// connection over. Early is what the client has sent behind its request. The
// caller writes the head, with the fields as the hooks left them, unless it is
// nil: then it was sent. No body filter can be in the way of what follows.
func (w *Writer) Switch() (conn net.Conn, head http.Header, early []byte, err error) {
	if w.begun || w.ended {
		return nil, nil, nil, errBegun
	}
	head = w.engine.Header()
	w.begun = true
	w.head = Head{Exchange: w.x, Status: http.StatusSwitchingProtocols, Header: head, writer: w}
	for w.left = len(w.hooks); w.left > 0; {
		w.left--
		if held := w.runHook(w.hooks[w.left]); held != nil {
			w.decide(held, true)
		}
	}
	if s, ok := w.engine.(streamer); ok {
		conn, err = s.SwitchStream()
		w.ended, w.status = true, http.StatusOK
		w.x.Keep()
		return conn, nil, nil, err
	}
	conn, rw, err := http.NewResponseController(w.engine).Hijack()
	if err != nil {
		w.begun = false
		return nil, nil, nil, err
	}
	w.ended, w.status = true, http.StatusSwitchingProtocols
	// A tunnel may be open for long: nothing of the request is kept for it.
	w.head, w.hooks, w.filters, w.engine = Head{}, nil, nil, taken{}
	w.x.detach()
	w.x.Keep()
	if n := rw.Reader.Buffered(); n > 0 {
		early = make([]byte, n)
		_, _ = rw.Read(early)
	}
	return conn, head, early, nil
}

var errBegun = errors.New("exchange: the answer has begun")

// taken is the answer of a connection that was taken over.
type taken struct{}

func (taken) Header() http.Header       { return http.Header{} }
func (taken) Write([]byte) (int, error) { return 0, http.ErrHijacked }
func (taken) WriteHeader(int)           {}

// detach lets go of what belongs to the connection.
func (x *Exchange) detach() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.parent = context.Background()
	x.Body.src = nil
}

package admin

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// TakeOverProtocol is what a connection of the control socket is upgraded to for
// a take-over. The Gateway and the process that takes over know what it is.
const TakeOverProtocol = "gatehouse-take-over/1"

func (h *handlers) restart(w http.ResponseWriter, r *http.Request) {
	// Who asked may go away: a new process that is on its way comes all the same.
	if err := h.gateway.Restart(context.WithoutCancel(r.Context())); err != nil {
		fail(w, err)
		return
	}
	write(w, http.StatusOK, state{"taken over"})
}

// takeOver gives the connection to the gateway.
func (h *handlers) takeOver(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != TakeOverProtocol {
		w.Header().Set("Upgrade", TakeOverProtocol)
		write(w, http.StatusUpgradeRequired, &Error{Message: "this gateway is taken over by " + TakeOverProtocol})
		return
	}
	hijacked, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		fail(w, err)
		return
	}
	if known, ok := hijacked.(userConn); ok {
		hijacked = known.Conn
	}
	conn, ok := hijacked.(*net.UnixConn)
	if !ok {
		_ = hijacked.Close()
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+TakeOverProtocol+"\r\n\r\n"); err != nil {
		_ = conn.Close()
		return
	}
	h.gateway.TakeOver(conn)
}

// upgradeWithin is how long the running gateway may take to let a take-over
// begin.
const upgradeWithin = 10 * time.Second

// TakeOver begins a take-over of the running gateway and returns the connection
// over which it happens. The error is a *NotRunning where there is none.
func (c *Client) TakeOver(ctx context.Context) (*net.UnixConn, error) {
	ctx, cancel := context.WithTimeout(ctx, upgradeWithin)
	defer cancel()
	conn, err := c.takeOver(ctx)
	if hungUp(err) {
		return c.takeOver(ctx) // it may have ended in this moment
	}
	return conn, err
}

func (c *Client) takeOver(ctx context.Context) (*net.UnixConn, error) {
	dialed, err := c.connect(ctx)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	conn := dialed.(*net.UnixConn)
	if err := c.upgrade(ctx, conn); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func (c *Client) upgrade(ctx context.Context, conn *net.UnixConn) error {
	if uid, err := peerUID(conn); err != nil || uid != 0 && uid != os.Geteuid() && os.Geteuid() != 0 {
		return fmt.Errorf("the gateway on %s is another user's (%d): it is not taken over", c.data, uid)
	}
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://gatehouse/v1/take-over", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", TakeOverProtocol)
	if err := r.Write(conn); err != nil {
		return c.explain(ctx, err)
	}
	// Of what follows the head nothing may be read: descriptors go with it.
	answer, err := http.ReadResponse(bufio.NewReader(single{conn}), r)
	if err != nil {
		return c.explain(ctx, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusSwitchingProtocols {
		return conn.SetDeadline(time.Time{})
	}
	if answer.StatusCode == http.StatusNotFound || answer.StatusCode == http.StatusUpgradeRequired {
		return fmt.Errorf("the gateway on %s is of a version that this one cannot take over: stop it, then start this one", c.data)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return c.explain(ctx, err)
	}
	return failure(answer.StatusCode, body)
}

// single reads one byte at a time.
type single struct{ io.Reader }

func (s single) Read(p []byte) (int, error) { return s.Reader.Read(p[:min(len(p), 1)]) }

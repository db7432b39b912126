package takeover

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// releaseWithin is how long the old gateway may take to stop accepting.
const releaseWithin = 30 * time.Second

// maxSockets bounds the descriptors of one offer.
const maxSockets = 4096

// Taking is the new gateway's end of a take-over. It is used by one goroutine.
type Taking struct {
	Offer   Offer
	Lock    *os.File // of the data folder
	Sockets []Socket

	wire wire
	old  process
}

// ErrDied is wrapped by the error of Take where the old process died before it had
// offered everything: nobody runs any more.
var ErrDied = errors.New("it has died")

// Take reads what the gateway at the other end offers. What it returns holds
// the lock of the data folder and the sockets beside the old gateway: both
// live on where either process dies.
func Take(conn *net.UnixConn) (*Taking, error) {
	t := &Taking{wire: wire{conn}, old: openProcess(processOf(conn))}
	_ = conn.SetDeadline(time.Now().Add(readyWithin))
	m, err := t.wire.receive()
	switch {
	case err == nil && m.Offer == nil:
		err = errors.New("it offers nothing")
	case err == nil && len(m.Offer.Sockets) > maxSockets:
		err = fmt.Errorf("it offers %d sockets", len(m.Offer.Sockets))
	}
	if err == nil {
		t.Offer = m.Offer.Offer
		err = t.receive(m.Offer.Sockets)
	}
	if err != nil {
		if errors.Is(err, errHungUp) && t.old.died() {
			err = ErrDied
		}
		t.Abort(err)
		t.drop()
		return nil, fmt.Errorf("the running gateway cannot be taken over: %w", err)
	}
	return t, nil
}

func (t *Taking) receive(sockets []given) (err error) {
	if t.Lock, err = t.wire.receiveDescriptor("control.lock"); err != nil {
		return err
	}
	for _, s := range sockets {
		f, err := t.wire.receiveDescriptor(s.Key)
		if err != nil {
			return err
		}
		l, err := fromFile(f)
		if err != nil {
			return fmt.Errorf("the socket of %s: %w", s.Key, err)
		}
		t.Sockets = append(t.Sockets, Socket{Kind: s.Kind, Key: s.Key, Lasting: s.Lasting, Listener: l})
	}
	return nil
}

// drop gives up what came of an offer that broke off.
func (t *Taking) drop() {
	NewSockets(t.Sockets).Close()
	if t.Lock != nil {
		_ = t.Lock.Close()
	}
}

// Ready says that this process can serve, and returns once the old one accepts
// nothing any more. It also returns nil where the old process died instead:
// what it had is here. After an error the old one goes on as if nothing was.
func (t *Taking) Ready() error {
	_ = t.wire.SetDeadline(time.Now().Add(releaseWithin))
	err := t.wire.send(message{Step: stepReady})
	if err == nil {
		err = t.wire.step(stepRelease)
	}
	if err == nil || t.old.died() {
		return nil
	}
	return fmt.Errorf("the running gateway does not let go: %w", err)
}

// Abort tells the old gateway why nothing comes of it, and closes the
// connection. Sockets and lock stay open.
func (t *Taking) Abort(err error) {
	t.wire.giveUp(err)
	t.close()
}

// Finish ends a take-over that has come about, once this process's control
// socket is in place. It returns when the old one has closed its sockets, or is
// gone.
func (t *Taking) Finish() {
	_ = t.wire.SetDeadline(time.Now().Add(placedWithin))
	_ = t.wire.CloseWrite()
	_, _ = t.wire.receive()
	t.close()
}

func (t *Taking) close() {
	_ = t.wire.Close()
	t.old.close()
}

package takeover

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// Offer is what a running gateway tells the one that takes over.
type Offer struct {
	Version    string    `json:"version"` // of the program
	PID        int       `json:"pid"`
	Started    time.Time `json:"started"`
	Generation uint64    `json:"generation"` // of the snapshot in force
	// State is what is known and would have to be found out again, by the name
	// of who knows it. Who does not understand its own leaves it.
	State map[string]json.RawMessage `json:"state,omitempty"`
}

// Giving is the running gateway's end of a take-over.
type Giving struct {
	wire wire
	// PID is the process at the other end; 0 where the system cannot say.
	PID int
}

// readyWithin is how long the new gateway may take to be ready.
const readyWithin = time.Minute

// Give offers the lock and the sockets, which stay open here, and waits until
// the process at the other end says that it can serve. On an error nothing has
// changed for the caller; the other end was told why. When ctx ends, so does
// the wait. The connection stays the caller's to close.
func Give(ctx context.Context, conn *net.UnixConn, o Offer, lock *os.File, sockets []Socket) (*Giving, error) {
	g := &Giving{wire: wire{conn}, PID: processOf(conn)}
	_ = conn.SetDeadline(time.Now().Add(readyWithin))
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	err := g.offer(o, lock, sockets)
	if err == nil || errors.Is(err, syscall.EPIPE) { // then it may have said why
		err = g.wire.step(stepReady)
	}
	switch {
	case err == nil && ctx.Err() == nil:
		return g, nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errors.New("the new gateway was not ready within " + readyWithin.String())
	}
	g.wire.giveUp(err)
	return nil, err
}

func (g *Giving) offer(o Offer, lock *os.File, sockets []Socket) error {
	list := offer{Offer: o, Sockets: []given{}}
	for _, s := range sockets {
		list.Sockets = append(list.Sockets, given{s.Kind, s.Key, s.Lasting})
	}
	if err := g.wire.send(message{Offer: &list}); err != nil {
		return err
	}
	if err := g.wire.sendDescriptor(lock); err != nil {
		return err
	}
	for _, s := range sockets {
		if err := g.wire.sendDescriptor(s.Listener); err != nil {
			return err
		}
	}
	return nil
}

// Release says that this process accepts nothing any more. An error means that
// the other one is gone.
func (g *Giving) Release() error {
	_ = g.wire.SetDeadline(time.Now().Add(releaseWithin))
	return g.wire.send(message{Step: stepRelease})
}

// placedWithin is how long the new gateway may take to put its control socket in
// place.
const placedWithin = 5 * time.Second

// AwaitEnd returns once the other end's control socket is in place, or it is
// gone. It does not wait for long.
func (g *Giving) AwaitEnd() {
	_ = g.wire.SetReadDeadline(time.Now().Add(placedWithin))
	_, _ = g.wire.receive()
}

// Refuse tells the process at the other end why there is no offer, and returns
// that.
func Refuse(conn *net.UnixConn, err error) error {
	wire{conn}.giveUp(err)
	return err
}

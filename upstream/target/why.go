package target

import (
	"errors"
	"net"
	"syscall"

	"gatehouse/dial"
)

// ErrDrained is why a request fails whose target was taken away, and which did
// not end within the drain.
var ErrDrained = errors.New("the target was taken away, and its drain has ended")

// Why shortens an error to what an operator needs: the kind, not the addresses
// that stand beside it anyway.
func Why(err error) error {
	var d *dial.Error
	switch {
	case errors.As(err, &d):
		return errors.New(d.Why())
	case errors.Is(err, net.ErrClosed):
		return ErrDrained
	case errors.Is(err, syscall.ECONNRESET):
		return errors.New("connection reset")
	}
	return err
}

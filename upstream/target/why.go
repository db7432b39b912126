package target

import (
	"errors"
	"syscall"

	"gatehouse/dial"
)

// Why shortens an error to what an operator needs: the kind, not the addresses
// that stand beside it anyway.
func Why(err error) error {
	var d *dial.Error
	switch {
	case errors.As(err, &d):
		return errors.New(d.Why())
	case errors.Is(err, syscall.ECONNRESET):
		return errors.New("connection reset")
	}
	return err
}

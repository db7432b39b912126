package dial

import (
	"context"
	"errors"
	"net"
	"slices"
	"syscall"
)

// Kind is why a connection could not be opened, for logs, trails and labels.
type Kind uint8

// The kinds of errors.
const (
	Other       Kind = iota
	Forbidden        // refused by a rule of this package
	NoHost           // the name does not exist
	Resolving        // the name could not be resolved
	Refused          // nobody listens there
	Unreachable      // no route to the host or network
	Timeout
	Cancelled // the context ended before its deadline
	Exhausted // this machine has no descriptor, port or memory left for it
)

var kinds = [...]string{"connect failed", "refused by rule", "no such host", "name not resolved", "connect refused", "unreachable", "connect timeout", "cancelled", "out of resources"}

func (k Kind) String() string { return kinds[k] }

// Error is why Dial or Resolve failed.
type Error struct {
	Kind    Kind
	Address string // as it was asked for
	Err     error
}

func (e *Error) Error() string { return e.Address + ": " + e.Why() }

// Why says what happened without the address, for logs that name it anyway.
func (e *Error) Why() string {
	var (
		forbidden *refusal
		dns       *net.DNSError
	)
	switch {
	case errors.As(e.Err, &forbidden):
		return forbidden.Error()
	case e.Kind == Timeout && errors.As(e.Err, &dns):
		return "name not resolved in time"
	case e.Kind == Other, e.Kind == Exhausted:
		return e.Kind.String() + ": " + e.Err.Error()
	}
	return e.Kind.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Timeout implements net.Error.
func (e *Error) Timeout() bool { return e.Kind == Timeout }

// KindOf returns the kind of an error that came from this package; Other for
// every other error.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Other
}

// refusal is an address that a rule forbids.
type refusal struct{ address, what string }

func (r *refusal) Error() string { return "refused by rule: " + r.address + " is " + r.what }

func kindOf(ctx context.Context, err error) Kind {
	var (
		forbidden *refusal
		dns       *net.DNSError
		timeout   interface{ Timeout() bool }
	)
	switch {
	case errors.As(err, &forbidden):
		return Forbidden
	case errors.Is(ctx.Err(), context.Canceled):
		return Cancelled
	case isAny(err, syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM):
		return Exhausted
	case errors.As(err, &dns) && dns.IsNotFound:
		return NoHost
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded), ctx.Err() != nil:
		return Timeout
	case errors.As(err, &dns):
		return Resolving
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return Unreachable
	}
	return Other
}

func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(t error) bool { return errors.Is(err, t) })
}

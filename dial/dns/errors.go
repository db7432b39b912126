package dns

import (
	"errors"
	"time"
)

// Kind is what an Error says of the name.
type Kind uint8

// The kinds.
const (
	Failed  Kind = iota // nothing: servers failed, or did not answer
	Missing             // it does not exist, or has no such records
)

// Error is why a lookup has no answer.
type Error struct {
	Name   string // as it was asked for
	Kind   Kind
	Server string        // who said so last; "" where nobody did
	Why    string        // "NXDOMAIN"
	TTL    time.Duration // of Missing: for how long that holds
}

func (e *Error) Error() string {
	s := "name not resolved: "
	if e.Kind == Missing {
		s = "no such name: "
	}
	s += e.Why
	if e.Server != "" {
		s += " from " + e.Server
	}
	return s
}

// NotFound reports whether err says that a name does not exist, and not only
// that it could not be looked up.
func NotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == Missing
}

// TTL returns for how long it holds that a name does not exist.
func TTL(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.TTL
	}
	return 0
}

//go:build !linux

package socket

import "errors"

// Usable reports whether the other functions work here.
const Usable = false

// Read is not there.
func Read(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

// Write is not there.
func Write(uintptr, []byte) int { return 0 }

// Peek is not there.
func Peek(uintptr) error { return errors.ErrUnsupported }

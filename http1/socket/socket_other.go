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

// Pipe is not there.
type Pipe struct{}

// NewPipe is not there.
func NewPipe() (*Pipe, error) { return nil, errors.ErrUnsupported }

// Close is not there.
func (*Pipe) Close() {}

// Fill is not there.
func (*Pipe) Fill(uintptr, int64) (int64, error) { return 0, errors.ErrUnsupported }

// Drain is not there.
func (*Pipe) Drain(uintptr) error { return errors.ErrUnsupported }

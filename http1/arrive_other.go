//go:build !unix

package http1

import "errors"

// begin does nothing: where there is no reading without waiting, a byte is
// read first.
func (w *waiting) begin(*Conn) {}

func peek(uintptr, []byte) (bool, error) { return true, errors.ErrUnsupported }

package socket

import "io"

// PipeSize is how many bytes a Pipe holds at most.
const PipeSize = 256 << 10

// Source is a body that can be moved on within the kernel, unseen.
type Source interface {
	io.Reader
	// Fill moves what there is into an empty pipe, at most PipeSize bytes. It
	// waits as Read does, and returns io.EOF at the body's end. Bytes and an
	// error never come together.
	Fill(*Pipe) (int64, error)
}

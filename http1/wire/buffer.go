package wire

import "sync"

// The sizes of buffers. Small ones hold the head of nearly every request;
// large ones a small answer whole, and large bodies pass in pieces of huge ones.
const (
	SmallBuffer = 4 << 10
	LargeBuffer = 32 << 10
	HugeBuffer  = 128 << 10
)

var (
	hugeBuffers  = sync.Pool{New: func() any { return new([HugeBuffer]byte) }}
	smallBuffers = sync.Pool{New: func() any { return new([SmallBuffer]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([LargeBuffer]byte) }}
)

// Buffer returns a buffer of at least n bytes, its length its capacity. One
// that is no longer needed goes back by Recycle.
func Buffer(n int) []byte {
	switch {
	case n <= SmallBuffer:
		return smallBuffers.Get().(*[SmallBuffer]byte)[:]
	case n <= LargeBuffer:
		return largeBuffers.Get().(*[LargeBuffer]byte)[:]
	case n <= HugeBuffer:
		return hugeBuffers.Get().(*[HugeBuffer]byte)[:]
	}
	return make([]byte, n)
}

// Recycle takes a buffer back, whatever part of it b is, as long as it begins
// where the buffer does. Nobody may use it afterwards.
func Recycle(b []byte) {
	switch cap(b) {
	case SmallBuffer:
		smallBuffers.Put((*[SmallBuffer]byte)(b[:SmallBuffer]))
	case LargeBuffer:
		largeBuffers.Put((*[LargeBuffer]byte)(b[:LargeBuffer]))
	case HugeBuffer:
		hugeBuffers.Put((*[HugeBuffer]byte)(b[:HugeBuffer]))
	}
}

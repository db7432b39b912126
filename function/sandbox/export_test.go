//go:build linux && (amd64 || arm64)

package sandbox

// Refused are the numbers of all system calls that are known and refused.
func Refused() []uint32 { return append(refused(), refusedToo()...) }

//go:build !linux || !(amd64 || arm64)

package stage

func enter() struct{} { return struct{}{} }

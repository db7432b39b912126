//go:build !unix

package tunnel

func (s *side) prepare() {}

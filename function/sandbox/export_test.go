//go:build linux && (amd64 || arm64)

package sandbox

import "syscall"

// Refused are the numbers of all system calls that are known and refused.
func Refused() []uint32 { return append(refused(), refusedToo()...) }

// Rest waits for the spare that is being made.
func (s *Sandbox) Rest() {
	s.spares.mu.Lock()
	making := s.spares.making
	s.spares.mu.Unlock()
	if making != nil {
		<-making
	}
}

// Settle ends the spare, and says which process it was; 0 where there was none.
func (s *Sandbox) Settle() int {
	s.Rest()
	l := s.spares.take()
	if l == nil {
		return 0
	}
	l.end()
	return l.process.pid
}

// KillSpare kills the spare, and leaves it.
func (s *Sandbox) KillSpare() bool {
	s.Rest()
	s.spares.mu.Lock()
	defer s.spares.mu.Unlock()
	if s.spares.kept == nil {
		return false
	}
	s.spares.kept.process.kill()
	return true
}

// Go has starts go another way: with a user namespace or without, with /proc or
// without.
func (s *Sandbox) Go(users, proc bool) {
	s.Settle()
	s.way = way{users, proc}
}

// KillNursery kills the process that stages are started from.
func (s *Sandbox) KillNursery() error {
	s.nursery.mu.Lock()
	defer s.nursery.mu.Unlock()
	return syscall.Kill(s.nursery.pid, syscall.SIGKILL)
}

//go:build amd64 || arm64

package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
)

// Where root's functions get their users from: a range that systemd names as
// unused, above those of containers; or, where this process is in a user
// namespace itself, the upper end of what it has.
const (
	firstSeat = 1879048192
	mostSeats = 1 << 16
)

var errNoSeat = errors.New("every user for functions is in use")

// seats gives each process of a function a user of its own.
type seats struct {
	first, count int

	mu   sync.Mutex
	next int
	used map[int]bool
}

// newSeats looks at which users this process can change to.
func newSeats() (*seats, error) {
	f, err := os.Open("/proc/self/uid_map")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	first, count := 0, 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var inside, outside, length int
		if _, err := fmt.Sscan(lines.Text(), &inside, &outside, &length); err != nil {
			return nil, fmt.Errorf("/proc/self/uid_map: %w", err)
		}
		if inside <= firstSeat && inside+length >= firstSeat+mostSeats {
			return &seats{first: firstSeat, count: mostSeats, used: make(map[int]bool)}, nil
		}
		if length > count {
			first, count = inside, length
		}
	}
	if count < 4096 {
		return nil, errors.New("this process has fewer than 4096 users, and functions need some of their own: " + strings.ReplaceAll(readWord("/proc/self/uid_map"), "\n", "; "))
	}
	share := min(count/2, mostSeats)
	return &seats{first: first + count - share, count: share, used: make(map[int]bool)}, nil
}

// take returns a user that no process has. One that was given back is taken
// again as late as can be.
func (s *seats) take() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range s.count {
		uid := s.first + s.next
		s.next = (s.next + 1) % s.count
		if !s.used[uid] {
			s.used[uid] = true
			return uid, nil
		}
	}
	return 0, errNoSeat
}

func (s *seats) give(uid int) {
	s.mu.Lock()
	delete(s.used, uid)
	s.mu.Unlock()
}

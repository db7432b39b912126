//go:build !linux

package edge

import (
	"net"
	"time"
)

// setWriteTimeout does nothing: only Linux has TCP_USER_TIMEOUT. TCP's own
// retransmission limits remain.
func setWriteTimeout(*net.TCPConn, time.Duration) {}

package takeover

import (
	"net"
	"strconv"
	"strings"
)

// Notifier tells the service manager how the gateway does (sd_notify(3)). A nil
// Notifier tells nobody. It is safe for concurrent use.
type Notifier struct{ to *net.UnixAddr }

// NewNotifier returns the Notifier for what NOTIFY_SOCKET says; nil where that
// is empty. The variable stays set, for the process that takes over.
func NewNotifier(address string) *Notifier {
	switch {
	case address == "":
		return nil
	case strings.HasPrefix(address, "@"), strings.HasPrefix(address, "/"):
		return &Notifier{&net.UnixAddr{Name: address, Net: "unixgram"}}
	}
	return nil // of another family, for which systemd gives programs no library either
}

// Tell sends assignments such as READY=1, all in one message. That nobody is
// told is no trouble of the gateway's: the error is for who tests.
func (n *Notifier) Tell(assignments ...string) error {
	if n == nil {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, n.to)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte(strings.Join(assignments, "\n")))
	return err
}

// The assignments that the gateway makes.
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
)

// MainPID says which process is the service from now on.
func MainPID(pid int) string { return "MAINPID=" + strconv.Itoa(pid) }

// Status is one line for people.
func Status(text string) string { return "STATUS=" + strings.ReplaceAll(text, "\n", " ") }

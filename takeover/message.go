package takeover

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// Protocol names what both ends speak once the connection is theirs. A change
// that an older gateway would not understand is another protocol.
const Protocol = "gatehouse-take-over/1"

// maxMessage bounds what is read from the other end: it is a gateway of the
// same user, but perhaps of another version.
const maxMessage = 64 << 20

// message is one step of a take-over. A length of four bytes, the highest first,
// comes before its JSON; after an offer come its descriptors, each with one byte.
type message struct {
	Offer *offer `json:"offer,omitempty"` // the running gateway's first word
	Step  string `json:"step,omitempty"`
	Error string `json:"error,omitempty"` // the take-over has come to nothing
}

// The steps after the offer.
const (
	stepReady   = "ready"   // the new gateway can serve
	stepRelease = "release" // the old one accepts nothing any more
)

type offer struct {
	Offer
	Sockets []given `json:"sockets"` // in the order of their descriptors
}

type given struct {
	Kind    string `json:"kind"`
	Key     string `json:"key"`
	Lasting bool   `json:"lasting,omitempty"`
}

// wire is a connection that messages go over.
type wire struct{ *net.UnixConn }

func (w wire) send(m message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	_, err = w.Write(append(frame, body...))
	return err
}

// errHungUp is that the other end said nothing more.
var errHungUp = errors.New("it hung up")

func (w wire) receive() (message, error) {
	var m message
	var size [4]byte
	if _, err := io.ReadFull(w, size[:]); err != nil {
		return m, hungUp(err)
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxMessage {
		return m, fmt.Errorf("its message of %d bytes is too long", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(w, body); err != nil {
		return m, hungUp(err)
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return m, fmt.Errorf("its message is no message: %w", err)
	}
	if m.Error != "" {
		return m, errors.New(m.Error)
	}
	return m, nil
}

func hungUp(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return errHungUp
	}
	return err
}

// step waits for one step.
func (w wire) step(wanted string) error {
	m, err := w.receive()
	if err == nil && m.Step != wanted {
		err = fmt.Errorf("it said %q where %q was due", m.Step, wanted)
	}
	return err
}

// giveUp tells the other end why nothing will come of it, if it still listens.
func (w wire) giveUp(err error) {
	_ = w.SetWriteDeadline(time.Now().Add(time.Second))
	_ = w.send(message{Error: err.Error()})
}

// sendDescriptor passes the descriptor of f, which stays open here.
func (w wire) sendDescriptor(f syscall.Conn) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		_, _, failed = w.WriteMsgUnix([]byte{0}, syscall.UnixRights(int(fd)), nil)
	})
	return errors.Join(err, failed)
}

// receiveDescriptor takes one descriptor. It is not inherited by programs that
// this process starts.
func (w wire) receiveDescriptor(name string) (*os.File, error) {
	var mark [1]byte
	space := make([]byte, syscall.CmsgSpace(4))
	n, oob, _, _, err := w.ReadMsgUnix(mark[:], space)
	if err != nil || n == 0 {
		return nil, hungUp(cmpOr(err, io.EOF))
	}
	controls, err := syscall.ParseSocketControlMessage(space[:oob])
	if err != nil || len(controls) != 1 {
		return nil, fmt.Errorf("it sent no descriptor for %s", name)
	}
	fds, err := syscall.ParseUnixRights(&controls[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("it sent no descriptor for %s", name)
	}
	syscall.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), name), nil
}

func cmpOr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

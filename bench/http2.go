package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"
)

// The few parts of RFC 9113 that a client needs which only asks.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	framePing         = 0x6
	frameGoAway       = 0x7
	frameWindowUpdate = 0x8

	flagAck        = 0x1
	flagEndStream  = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20

	frameHead   = 9
	preface     = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	windowGrant = 1 << 30
)

// streams keeps a number of requests in flight on one HTTP/2 connection. It
// decodes no header block: that a status is 200 shows in its first byte.
type streams struct {
	w    *worker
	conn net.Conn
	out  []byte // frames to be written

	again   []byte // the header block of every request but the first
	nextID  uint32
	flights []flight
	window  int // bytes received since the last grant
}

// flight is one request in flight; its id is 0 where there is none.
type flight struct {
	id   uint32
	sent time.Time
	body int
}

func newStreams(w *worker, conn net.Conn) *streams {
	return &streams{w: w, conn: conn, nextID: 1, flights: make([]flight, w.load.streams)}
}

// run fills the connection with requests and sends a new one for each answer.
func (s *streams) run() error {
	s.open()
	buf := make([]byte, 128<<10)
	filled := 0
	for s.w.phase.Load() != phaseStop {
		s.conn.SetDeadline(time.Now().Add(silence))
		if len(s.out) > 0 {
			if _, err := s.conn.Write(s.out); err != nil {
				return err
			}
			s.out = s.out[:0]
		}
		n, err := s.conn.Read(buf[filled:])
		if err != nil {
			return err
		}
		used, err := s.take(buf[:filled+n])
		if err != nil {
			return err
		}
		filled = copy(buf, buf[used:filled+n])
	}
	return nil
}

// open prepares the preface, our settings and the first requests.
func (s *streams) open() {
	s.out = append(s.out, preface...)
	s.frame(frameSettings, 0, 0, []byte{0, 2, 0, 0, 0, 0, 0, 4, 0, 16, 0, 0}) // no push; 1 MiB a stream
	s.grant()
	first, again := requestBlocks(s.w.load.paths[s.w.index%len(s.w.load.paths)], s.w.load.token(s.w.index))
	s.again = again
	now := time.Now()
	for i := range s.flights {
		block := again
		if i == 0 {
			block = first
		}
		s.request(&s.flights[i], block, now)
	}
}

func (s *streams) request(f *flight, block []byte, now time.Time) {
	*f = flight{id: s.nextID, sent: now}
	s.frame(frameHeaders, flagEndStream|flagEndHeaders, s.nextID, block)
	s.nextID += 2
}

func (s *streams) grant() {
	s.window = 0
	s.frame(frameWindowUpdate, 0, 0, binary.BigEndian.AppendUint32(nil, windowGrant))
}

// take handles every complete frame and returns how many bytes they were.
func (s *streams) take(data []byte) (int, error) {
	used := 0
	for len(data)-used >= frameHead {
		head := data[used:]
		length := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
		if len(head) < frameHead+length {
			break
		}
		id := binary.BigEndian.Uint32(head[5:9]) & (1<<31 - 1)
		if err := s.handle(head[3], head[4], id, head[frameHead:frameHead+length]); err != nil {
			return used, err
		}
		used += frameHead + length
	}
	return used, nil
}

func (s *streams) handle(kind, flags byte, id uint32, payload []byte) error {
	switch kind {
	case frameHeaders:
		return s.headers(flags, id, payload)
	case frameData:
		return s.data(flags, id, payload)
	case frameSettings:
		if flags&flagAck == 0 {
			s.frame(frameSettings, flagAck, 0, nil)
		}
	case framePing:
		if flags&flagAck == 0 {
			s.frame(framePing, flagAck, 0, payload)
		}
	case frameReset:
		return fmt.Errorf("stream %d was reset: %x", id, payload)
	case frameGoAway:
		return fmt.Errorf("the server sent GOAWAY: %x", payload)
	}
	return nil
}

func (s *streams) headers(flags byte, id uint32, block []byte) error {
	if flags&(flagPadded|flagPriority) != 0 {
		return errors.New("a padded or weighted answer")
	}
	for len(block) > 0 && block[0]&0xe0 == 0x20 { // table size updates may come first
		block = afterInteger(block)
	}
	if len(block) == 0 || block[0] != 0x88 {
		return fmt.Errorf("an answer on stream %d is not 200: % x", id, block[:min(len(block), 8)])
	}
	if flags&flagEndStream != 0 {
		return fmt.Errorf("an answer on stream %d has no body", id)
	}
	return nil
}

func (s *streams) data(flags byte, id uint32, payload []byte) error {
	if flags&flagPadded != 0 {
		return errors.New("a padded answer")
	}
	if s.window += len(payload); s.window > windowGrant/2 {
		s.grant()
	}
	f := s.find(id)
	if f == nil {
		return fmt.Errorf("data on stream %d, which is not open", id)
	}
	rest := s.w.load.body[f.body:]
	if len(payload) > len(rest) || !bytes.Equal(payload, rest[:len(payload)]) {
		return errors.New("an answer's body is not what the backend sent")
	}
	f.body += len(payload)
	if flags&flagEndStream == 0 {
		return nil
	}
	if f.body != len(s.w.load.body) {
		return fmt.Errorf("an answer's length was %d instead of %d", f.body, len(s.w.load.body))
	}
	now := time.Now()
	s.w.answered(f.sent, now)
	s.request(f, s.again, now)
	return nil
}

func (s *streams) find(id uint32) *flight {
	for i := range s.flights {
		if s.flights[i].id == id {
			return &s.flights[i]
		}
	}
	return nil
}

func (s *streams) frame(kind, flags byte, id uint32, payload []byte) {
	n := len(payload)
	s.out = append(s.out, byte(n>>16), byte(n>>8), byte(n), kind, flags)
	s.out = binary.BigEndian.AppendUint32(s.out, id)
	s.out = append(s.out, payload...)
}

package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// reconnect opens a connection for every request until the measurement ends:
// connect, full handshake, one request, close_notify and FIN.
func (w *worker) reconnect() error {
	a, scratch := answer{want: w.load.body}, make([]byte, scratchSize)
	for i := w.index; w.phase.Load() != phaseStop; i += w.load.connections {
		sent := time.Now()
		if err := w.visit(i, &a, scratch); err != nil {
			return err
		}
		w.answered(sent, time.Now())
	}
	return nil
}

func (w *worker) visit(i int, a *answer, scratch []byte) error {
	conn, err := w.dial(i * 20) // ten connections in a row share a source address
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(silence))
	if secure, ok := conn.(*tls.Conn); ok {
		if err := isFull(secure.ConnectionState()); err != nil {
			return err
		}
	}
	if _, err := conn.Write(w.load.request(i)); err != nil {
		return err
	}
	return a.read(conn, scratch)
}

// isFull fails for a handshake that is not what everyone is measured with.
func isFull(state tls.ConnectionState) error {
	switch {
	case state.DidResume:
		return errors.New("a handshake resumed a session")
	case state.CurveID != tls.X25519:
		return fmt.Errorf("a handshake agreed on %v instead of X25519", state.CurveID)
	}
	return nil
}

package edge

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"gatehouse/secrets"
)

// handshake connects with a cache of sessions, and reports whether one was resumed.
func handshake(t *testing.T, server, client *tls.Config) bool {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		defer conn.Close()
		secure := tls.Server(conn, server)
		if err = secure.Handshake(); err == nil {
			_, err = secure.Write([]byte("x"))
		}
		served <- err
	}()
	conn, err := tls.Dial("tcp", l.Addr().String(), client)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Read(make([]byte, 1)) // the ticket comes before it
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	return conn.ConnectionState().DidResume
}

// Tickets are good wherever the keys are, for the same scope, as long as the keys
// are not forgotten.
func TestTickets(t *testing.T) {
	h := newHouse(t, nil, listenerConfig(withTLS()))
	cert, err := h.ca.ServerCertificate("api.shop.test")
	if err != nil {
		t.Fatal(err)
	}
	place := secrets.NewFiles(t.TempDir())
	open := func() *Tickets {
		t.Helper()
		tickets, err := OpenTickets(place)
		if err != nil {
			t.Fatal(err)
		}
		return tickets
	}
	one, two := open(), open()
	serve := func(tickets *Tickets, scope string, version uint16) *tls.Config {
		conf := &tls.Config{Certificates: []tls.Certificate{*cert}, MaxVersion: version}
		tickets.seal(conf, scope)
		return conf
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := &tls.Config{RootCAs: h.ca.Pool(), ServerName: "api.shop.test", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		if handshake(t, serve(one, "a", version), client) {
			t.Error("resumed at the first time")
		}
		for name, tc := range map[string]struct {
			tickets *Tickets
			scope   string
			want    bool
		}{"itself": {one, "a", true}, "another": {two, "a", true}, "another scope": {two, "b", false}} {
			if got := handshake(t, serve(tc.tickets, tc.scope, version), client); got != tc.want {
				t.Errorf("%x at %s: resumed %v", version, name, got)
			}
			handshake(t, serve(one, "a", version), client)
		}
		if err := one.Force(time.Now(), false); err != nil {
			t.Fatal(err)
		}
		if !handshake(t, serve(one, "a", version), client) {
			t.Error("a key's turn is over, and its tickets are void")
		}
		if err := one.Force(time.Now(), true); err != nil {
			t.Fatal(err)
		}
		if handshake(t, serve(one, "a", version), client) {
			t.Error("a forgotten key's ticket is good")
		}
		two = open()
	}
}

func FuzzTicket(f *testing.F) {
	var key ticketKey
	about := []byte("about")
	sealed := key.seal([]byte("plain"), about)
	f.Add([]byte{})
	f.Add(sealed[:len(sealed)-1])
	f.Add(make([]byte, ticketSalt+16))
	f.Fuzz(func(t *testing.T, ticket []byte) {
		if plain, ok := key.open(ticket, about); ok && string(plain) != "plain" {
			t.Fatalf("%x is a ticket", ticket)
		}
	})
}

package takeover

import (
	"fmt"
	"net"
	"slices"
	"testing"
)

func port(l *net.TCPListener) string { return fmt.Sprint(l.Addr().(*net.TCPAddr).Port) }

func TestSocketByAddress(t *testing.T) {
	loop, loop6, wide, wide4 := listening(t, "127.0.0.1:0"), listening(t, "[::1]:0"), listening(t, ":0"), listening(t, "0.0.0.0:0")
	for _, tc := range []struct {
		l       *net.TCPListener
		address string
		want    bool
	}{
		{loop, "127.0.0.1:" + port(loop), true},
		{loop, "[::ffff:127.0.0.1]:" + port(loop), true},
		{loop, "localhost:" + port(loop), true},
		{loop, "127.0.0.2:" + port(loop), false},
		{loop, ":" + port(loop), false},
		{loop, "127.0.0.1:1", false},
		{loop, "127.0.0.1:0", false},
		{loop, "127.0.0.1", false},
		{loop, "", false},
		{loop6, "[::1]:" + port(loop6), true},
		{loop6, "127.0.0.1:" + port(loop6), false},
		{wide, ":" + port(wide), true},
		{wide, "[::]:" + port(wide), true},
		{wide, "127.0.0.1:" + port(wide), false},
		{wide4, "0.0.0.0:" + port(wide4), true},
		{wide4, ":" + port(wide4), true},
	} {
		if got := (Socket{Kind: Listen, Key: "other", Listener: tc.l}).serves(tc.address); got != tc.want {
			t.Errorf("%s for %q: %v", tc.l.Addr(), tc.address, got)
		}
	}
}

// TestTake: the same key goes before the same address, and what is taken is
// gone; but for what the service manager keeps.
func TestTake(t *testing.T) {
	any1, any2, kept := listening(t, "127.0.0.1:0"), listening(t, "127.0.0.1:0"), listening(t, "127.0.0.1:0")
	s := NewSockets(nil)
	s.Add([]Socket{{Kind: Listen, Key: "127.0.0.1:0", Listener: any1}, {Kind: Admin, Key: "127.0.0.1:0", Listener: any2}, {Key: "web", Lasting: true, Listener: kept}})
	take := func(kind, key, address string) string {
		t.Helper()
		l, err := s.Take(kind, key, address)
		if err != nil {
			t.Fatal(err)
		}
		if l == nil {
			return ""
		}
		t.Cleanup(func() { _ = l.Close() })
		return l.Addr().String()
	}
	if got := take(Admin, "127.0.0.1:0", "127.0.0.1:0"); got != any2.Addr().String() {
		t.Errorf("the admin listener got %s", got)
	}
	if got := take(Listen, "127.0.0.1:0#2", "127.0.0.1:0"); got != "" {
		t.Errorf("a second listener on any port got %s", got)
	}
	if got := take(Admin, any1.Addr().String(), any1.Addr().String()); got != any1.Addr().String() {
		t.Errorf("by address: %s", got)
	}
	for _, address := range []string{"systemd:web", kept.Addr().String(), "systemd:web"} {
		if got := take(Listen, address, address); got != kept.Addr().String() {
			t.Errorf("%s: %s", address, got)
		}
	}
	if got := take(Listen, "systemd:other", "systemd:other"); got != "" {
		t.Errorf("a name that was not passed: %s", got)
	}
	if got := s.Unused([]string{"127.0.0.1:1"}); len(got) != 1 || got[0] != "web ("+kept.Addr().String()+")" {
		t.Errorf("unused: %v", got)
	}
	if got := s.Unused([]string{"systemd:web"}); len(got) != 0 {
		t.Errorf("unused: %v", got)
	}
	s.Settle()
	if got := s.Names(); !slices.Equal(got, []string{"web"}) || len(s.Lasting()) != 1 {
		t.Errorf("left: %v", got)
	}
	s.Close()
	if len(s.Lasting()) != 0 {
		t.Error("something is left")
	}
}

func TestNoSockets(t *testing.T) {
	var s *Sockets
	if l, err := s.Take(Listen, "a", "127.0.0.1:1"); l != nil || err != nil {
		t.Errorf("%v %v", l, err)
	}
	if s.Names() != nil || s.Lasting() != nil || s.Unused(nil) != nil {
		t.Error("there is something")
	}
	s.Settle()
	s.Close()
}

package takeover

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func environment(vars map[string]string) Environment {
	return Environment{
		Get:   func(name string) string { return vars[name] },
		Unset: func(name string) error { delete(vars, name); return nil },
		PID:   42,
	}
}

// TestActivated reads the environment; that real sockets arrive is tested with
// the command, in a process of its own.
func TestActivated(t *testing.T) {
	for _, tc := range []struct {
		vars map[string]string
		want string
	}{
		{map[string]string{}, ""},
		{map[string]string{"LISTEN_PID": "41", "LISTEN_FDS": "3"}, ""}, // another process's
		{map[string]string{"LISTEN_PID": "42", "LISTEN_FDS": "0"}, ""},
		{map[string]string{"LISTEN_PID": "42", "LISTEN_FDS": "-1"}, "no number of sockets"},
		{map[string]string{"LISTEN_PID": "42", "LISTEN_FDS": "many"}, "no number of sockets"},
		{map[string]string{"LISTEN_PID": "42", "LISTEN_FDS": "1000000"}, "no number of sockets"},
	} {
		sockets, err := Activated(environment(tc.vars))
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) || len(sockets) != 0 {
			t.Errorf("%v: %v %v", tc.vars, sockets, err)
		}
		if len(tc.vars) != 0 {
			t.Errorf("left for others: %v", tc.vars)
		}
	}
}

func TestNotifier(t *testing.T) {
	var nobody *Notifier
	if err := nobody.Tell(Ready); err != nil {
		t.Errorf("nobody: %v", err)
	}
	if NewNotifier("") != nil || NewNotifier("vsock:2:1") != nil {
		t.Error("there is somebody")
	}
	path := filepath.Join(t.TempDir(), "notify")
	for _, name := range []string{path, "@gatehouse-test-" + filepath.Base(t.TempDir()) + time.Now().Format("150405.000000000")} {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Skip(err)
		}
		defer l.Close()
		n := NewNotifier(name)
		if err := n.Tell(MainPID(7), Ready, Status("all\nis well")); err != nil {
			t.Fatal(err)
		}
		_ = l.SetDeadline(time.Now().Add(10 * time.Second))
		b := make([]byte, 1000)
		size, err := l.Read(b)
		if got := string(b[:size]); err != nil || got != "MAINPID=7\nREADY=1\nSTATUS=all is well" {
			t.Errorf("%q %v", got, err)
		}
	}
	_ = os.Remove(path)
	if err := NewNotifier(path).Tell(Ready); err == nil {
		t.Error("a socket that is gone took a message")
	}
	if all := strings.Join(Reloading(), "\n"); !strings.HasPrefix(all, "RELOADING=1") {
		t.Error(all)
	}
}

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse"
	"gatehouse/admin"
)

// manager stands for systemd: it holds sockets, and is told how the service does.
type manager struct {
	t       *testing.T
	dir     string
	notices *net.UnixConn
	web     *net.TCPListener
	admin   *net.TCPListener
	said    said
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{t: t, dir: t.TempDir()}
	var err error
	if m.notices, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(m.dir, "notify"), Net: "unixgram"}); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = m.notices.Close() })
	m.web, m.admin = m.listen(), m.listen()
	return m
}

func (m *manager) listen() *net.TCPListener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = l.Close() })
	return l.(*net.TCPListener)
}

func (m *manager) configure(listen string) {
	m.t.Helper()
	text := "listen: [" + listen + "]\nadmin: {address: \"" + m.admin.Addr().String() + "\"}\nlog: {access: off}\napis: {a: {authorize: none, routes: [{match: GET /ping, target: mock}]}}\n"
	if err := os.WriteFile(filepath.Join(m.dir, "gatehouse.yaml"), []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// start starts the service as systemd would: LISTEN_PID is the process's own
// number, and the sockets are its descriptors from 3 on.
func (m *manager) start(names string) *exec.Cmd {
	m.t.Helper()
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec gatehouse run -c gatehouse.yaml`)
	cmd.Dir, cmd.Stderr = m.dir, &m.said
	cmd.Env = append(os.Environ(), "LISTEN_FDS=2", "LISTEN_FDNAMES="+names, "NOTIFY_SOCKET="+filepath.Join(m.dir, "notify"))
	for _, l := range []*net.TCPListener{m.web, m.admin} {
		f, err := l.File()
		if err != nil {
			m.t.Fatal(err)
		}
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	cmd.WaitDelay = time.Second // the process that takes over has standard error as well
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// notice waits for the next one that begins with one of these, and returns it.
func (m *manager) notice(wanted ...string) string {
	m.t.Helper()
	_ = m.notices.SetReadDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 4096)
	for {
		n, err := m.notices.Read(b)
		if err != nil {
			m.t.Fatalf("none of %v comes: %v; it said %s", wanted, err, &m.said)
		}
		for _, w := range wanted {
			if strings.HasPrefix(string(b[:n]), w) {
				return string(b[:n])
			}
		}
	}
}

func (m *manager) ping(address string) error {
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprint(c, "GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	b := make([]byte, 12)
	if _, err := c.Read(b); err != nil || string(b) != "HTTP/1.1 200" {
		return fmt.Errorf("%q %v", b, err)
	}
	return nil
}

// TestSocketActivation: sockets that systemd passes are found by name and by
// address, stay usable over reloads that leave them out, and go along with a
// restart; systemd is told of each step.
func TestSocketActivation(t *testing.T) {
	m := newManager(t)
	web := m.web.Addr().String()
	byName := `{address: "systemd:web"}`
	m.configure(byName)
	cmd := m.start("web:admin")
	if ready := m.notice("READY=1"); !strings.Contains(ready, "STATUS=serving by generation 1") {
		t.Errorf("ready: %q", ready)
	}
	check := func(when string) {
		t.Helper()
		if err := m.ping(web); err != nil {
			t.Fatalf("%s: %v; it said %s", when, err, &m.said)
		}
	}
	check("at first")
	control := admin.Dial(filepath.Join(m.dir, "data"))
	if err := control.Ready(context.Background()); err != nil {
		t.Fatal(err)
	}

	other := m.listen()
	elsewhere := `{address: "` + other.Addr().String() + `"}`
	_ = other.Close()
	for _, listen := range []string{elsewhere, elsewhere + `, {address: "` + web + `"}`, byName} {
		m.configure(listen)
		if err := control.Reload(context.Background(), nil); err != nil {
			t.Fatalf("reload to %s: %v", listen, err)
		}
		if reloading := m.notice("RELOADING=1"); !strings.Contains(reloading, "MONOTONIC_USEC=") {
			t.Errorf("reload: %q", reloading)
		}
		m.notice("READY=1")
		if listen != elsewhere {
			check("with " + listen)
		}
	}

	if err := control.Restart(context.Background()); err != nil {
		t.Fatalf("restart: %v; it said %s", err, &m.said)
	}
	var status gatehouse.Status
	if err := control.Status(context.Background(), &status); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(status.PID, syscall.SIGKILL) })
	for range 2 { // the old process says so, and the new one
		if main := m.notice("MAINPID="); main != fmt.Sprint("MAINPID=", status.PID) {
			t.Errorf("%q, and %d serves", main, status.PID)
		}
	}
	m.notice("READY=1")
	_ = cmd.Wait()
	if !cmd.ProcessState.Success() {
		t.Errorf("the old process: %v", cmd.ProcessState)
	}
	check("after the restart")
	for _, listen := range []string{elsewhere, byName} {
		m.configure(listen)
		if err := control.Reload(context.Background(), nil); err != nil {
			t.Fatalf("then, reload to %s: %v", listen, err)
		}
	}
	check("and after reloads")
	if err := syscall.Kill(status.PID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.notice("STOPPING=1")
}

// TestSocketOfAnotherName says what there is.
func TestSocketOfAnotherName(t *testing.T) {
	m := newManager(t)
	m.configure(`{address: "systemd:wbe"}`)
	cmd := m.start("web:admin")
	if err := cmd.Wait(); err == nil || !strings.Contains(m.said.String(), "FileDescriptorName=wbe") {
		t.Errorf("it ended with %v and said %s", err, &m.said)
	}
	m.configure(`{address: "127.0.0.1:0"}`)
	cmd = m.start("web:admin")
	m.notice("READY=1")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // until then not all of what it said need be here
	if !strings.Contains(m.said.String(), "no listener takes") {
		t.Errorf("of a socket that nobody takes it said %s", &m.said)
	}
}

// TestUnits holds the units in docs against systemd.
func TestUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is missing")
	}
	dir := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var units []string
	for _, name := range []string{"gatehouse.service", "gatehouse.socket"} {
		text, err := os.ReadFile(filepath.Join("../../docs/systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		unit := filepath.Join(dir, name)
		units = append(units, unit)
		text = []byte(strings.ReplaceAll(string(text), "/usr/local/bin/gatehouse", program)) // which must be there
		if err := os.WriteFile(unit, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("systemd-analyze", append([]string{"verify", "--recursive-errors=no"}, units...)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

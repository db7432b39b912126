package takeover

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("TAKEOVER_GIVE"); path != "" {
		giveForever(path)
	}
	os.Exit(m.Run())
}

// TestTakeOver: sockets and lock arrive as the same ones, and live on when the
// old process has closed its own.
func TestTakeOver(t *testing.T) {
	giver, taker := connected(t)
	one, two, lock := listening(t, "127.0.0.1:0"), listening(t, "127.0.0.1:0"), lockFile(t)
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	sent := Offer{Version: "v1", PID: 7, Started: time.Unix(1000, 0).UTC(), Generation: 41, State: map[string]json.RawMessage{"health": json.RawMessage(`[1,2]`)}}
	sockets := []Socket{{Kind: Listen, Key: ":443", Listener: one}, {Key: "web", Lasting: true, Listener: two}}
	given := make(chan error, 1)
	go func() {
		g, err := Give(context.Background(), giver, sent, lock, sockets)
		if err == nil {
			_, _ = one.Close(), two.Close()
			_ = lock.Close()
			err = g.Release()
		}
		if err == nil {
			g.AwaitEnd()
		}
		_ = giver.Close()
		given <- err
	}()
	got, err := Take(taker)
	if err != nil {
		t.Fatal(err)
	}
	if o := got.Offer; o.Version != "v1" || o.PID != 7 || !o.Started.Equal(sent.Started) || o.Generation != 41 || string(o.State["health"]) != "[1,2]" {
		t.Errorf("the offer arrived as %+v", o)
	}
	if err := got.Ready(); err != nil {
		t.Fatal(err)
	}
	got.Finish()
	if err := <-given; err != nil {
		t.Fatal(err)
	}
	if len(got.Sockets) != 2 || got.Sockets[0].Kind != Listen || got.Sockets[0].Key != ":443" || got.Sockets[1].Key != "web" || !got.Sockets[1].Lasting {
		t.Fatalf("sockets %+v", got.Sockets)
	}
	for i, before := range []*net.TCPListener{one, two} {
		reaches(t, got.Sockets[i].Listener, before.Addr().String())
	}
	again, err := os.OpenFile(lock.Name(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := syscall.Flock(int(again.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("the lock was let go: %v", err)
	}
	_ = got.Lock.Close()
	if err := syscall.Flock(int(again.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Errorf("the lock is held by nobody and cannot be had: %v", err)
	}
	NewSockets(got.Sockets).Close()
}

// TestGiveGoesOn: whatever the new process does before it is ready, the old one
// has an error and everything that it had.
func TestGiveGoesOn(t *testing.T) {
	for _, tc := range []struct {
		name string
		take func(*net.UnixConn)
		want string
	}{
		{"at once", func(c *net.UnixConn) { _ = c.Close() }, "hung up|broken pipe|connection reset"},
		{"after the offer", func(c *net.UnixConn) { _, _ = wire{c}.receive(); _ = c.Close() }, "hung up|connection reset"},
		{"with a reason", func(c *net.UnixConn) {
			taking, err := Take(c)
			if err != nil {
				t.Error(err)
				return
			}
			taking.Abort(errors.New("port 443 is taken"))
			NewSockets(taking.Sockets).Close()
		}, "port 443 is taken"},
		{"with nonsense", func(c *net.UnixConn) { _, _ = c.Write([]byte("\x00\x00\x00\x02no")) }, "no message"},
		{"with a flood", func(c *net.UnixConn) { _, _ = c.Write([]byte("\xff\xff\xff\xff")) }, "too long"},
		{"out of turn", func(c *net.UnixConn) { _ = wire{c}.send(message{Step: stepRelease}) }, `"release" where "ready" was due`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			giver, taker := connected(t)
			l := listening(t, "127.0.0.1:0")
			go tc.take(taker)
			_, err := Give(context.Background(), giver, Offer{}, lockFile(t), []Socket{{Kind: Listen, Key: "a", Listener: l}})
			if !says(err, tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			reaches(t, l, l.Addr().String())
		})
	}
}

func says(err error, want string) bool {
	if err == nil {
		return false
	}
	for text := range strings.SplitSeq(want, "|") {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// TestStopEndsTheOffer: a gateway that is told to stop waits for nobody, and the
// new process is told.
func TestStopEndsTheOffer(t *testing.T) {
	giver, taker := connected(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	given := make(chan error, 1)
	go func() {
		_, err := Give(ctx, giver, Offer{}, lockFile(t), nil)
		given <- err
	}()
	taking, err := Take(taker)
	if err != nil {
		t.Fatal(err)
	}
	cancel(errors.New("the gateway is stopping"))
	if err := <-given; err == nil || err.Error() != "the gateway is stopping" {
		t.Errorf("Give: %v", err)
	}
	if err := taking.Ready(); err == nil || !strings.Contains(err.Error(), "the gateway is stopping") {
		t.Errorf("Ready: %v", err)
	}
	taking.close()
}

// TestTakeFails: what is no offer is an error, and leaves nothing open.
func TestTakeFails(t *testing.T) {
	for _, tc := range []struct {
		name string
		give func(*net.UnixConn)
		want string
	}{
		{"nothing", func(c *net.UnixConn) { _ = c.Close() }, "it hung up"},
		{"refused", func(c *net.UnixConn) { _ = Refuse(c, errors.New("the gateway is draining")) }, "the gateway is draining"},
		{"no offer", func(c *net.UnixConn) { _ = wire{c}.send(message{Step: stepReady}) }, "it offers nothing"},
		{"half a message", func(c *net.UnixConn) { _, _ = c.Write([]byte{0, 0, 0, 9, '{'}); _ = c.Close() }, "it hung up"},
		{"no descriptors", func(c *net.UnixConn) {
			_ = wire{c}.send(message{Offer: &offer{}})
			_, _ = c.Write([]byte{0})
		}, "no descriptor for control.lock"},
		{"a file for a socket", func(c *net.UnixConn) {
			f, _ := os.Open(os.DevNull)
			defer f.Close()
			_ = wire{c}.send(message{Offer: &offer{Sockets: []given{{Listen, "a", false}}}})
			_, _ = wire{c}.sendDescriptor(f), wire{c}.sendDescriptor(f)
		}, "the socket of a"},
		{"too many", func(c *net.UnixConn) {
			_ = wire{c}.send(message{Offer: &offer{Sockets: make([]given, maxSockets+1)}})
		}, "4097 sockets"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			giver, taker := connected(t)
			tc.give(giver)
			if _, err := Take(taker); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

// giveForever is a process that gives and never releases. It says on standard
// output that it is asked for that.
func giveForever(path string) {
	if rest, ok := strings.CutSuffix(path, " half"); ok {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: rest, Net: "unix"})
		if err != nil {
			panic(err)
		}
		fmt.Println("listens")
		if _, err := l.AcceptUnix(); err != nil {
			panic(err)
		}
		os.Exit(1)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		panic(err)
	}
	fmt.Println("listens")
	c, err := l.AcceptUnix()
	if err != nil {
		panic(err)
	}
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	lock, err := os.Create(path + ".lock")
	if err != nil {
		panic(err)
	}
	if _, err = Give(context.Background(), c, Offer{}, lock, []Socket{{Kind: Listen, Key: "a", Listener: socket.(*net.TCPListener)}}); err != nil {
		panic(err)
	}
	fmt.Println("asked")
	select {}
}

// startGiver starts a process that gives, and connects to it.
func startGiver(t *testing.T, how string) (*exec.Cmd, io.Reader, *net.UnixConn) {
	t.Helper()
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("this system does not tell whether another process lives")
	}
	path := t.TempDir() + "/s"
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TAKEOVER_GIVE="+path+how)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	await(t, out, "listens\n")
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	return cmd, out, conn
}

// TestOldProcessDies: where the old process dies at the last moment, what it had
// is the new one's.
func TestOldProcessDies(t *testing.T) {
	cmd, out, conn := startGiver(t, "")
	taking, err := Take(conn)
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan error, 1)
	go func() { ready <- taking.Ready() }()
	await(t, out, "asked\n")
	_ = cmd.Process.Kill()
	if err := <-ready; err != nil {
		t.Errorf("Ready: %v", err)
	}
	l := taking.Sockets[0].Listener
	reaches(t, l, l.Addr().String())
	taking.Finish()
	NewSockets(taking.Sockets).Close()
	_ = taking.Lock.Close()
}

// TestOldProcessDiesEarly: before it has offered anything, there is nobody to take
// over any more.
func TestOldProcessDiesEarly(t *testing.T) {
	_, _, conn := startGiver(t, " half")
	if _, err := Take(conn); !errors.Is(err, ErrDied) {
		t.Errorf("got %v", err)
	}
}

func await(t *testing.T, r io.Reader, text string) {
	t.Helper()
	b := make([]byte, len(text))
	if _, err := io.ReadFull(r, b); err != nil || string(b) != text {
		t.Fatalf("%q %v", b, err)
	}
}

// TestFrame holds the form that other versions read.
func TestFrame(t *testing.T) {
	giver, taker := connected(t)
	if err := (wire{giver}).send(message{Step: stepReady}); err != nil {
		t.Fatal(err)
	}
	const body = `{"step":"ready"}`
	want := string(binary.BigEndian.AppendUint32(nil, uint32(len(body)))) + body
	await(t, taker, want)
}

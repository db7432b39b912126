package tunnel

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pair is both ends of a tunnel as the outside has them.
type pair struct {
	client, service net.Conn
	outcome         chan Outcome
}

// open opens a tunnel over pipes.
func open(k *Keeper, l Limits) pair {
	client, ours := net.Pipe()
	service, theirs := net.Pipe()
	p := pair{client, service, make(chan Outcome, 1)}
	go func() { p.outcome <- k.Join(Side{Conn: ours}, Side{Conn: theirs}, l) }()
	return p
}

func read(t *testing.T, c net.Conn, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(b)
}

func write(t *testing.T, c net.Conn, p []byte) {
	t.Helper()
	if _, err := c.Write(p); err != nil {
		t.Errorf("write: %v", err)
	}
}

var day = Limits{MaxAge: 24 * time.Hour, Idle: 10 * time.Minute}

// Limits end a tunnel by Close frames to both sides, which they answer.
func TestLimits(t *testing.T) {
	for _, tc := range []struct {
		limits Limits
		after  time.Duration
		end    End
		close  string
	}{
		{Limits{MaxAge: time.Hour, Idle: time.Minute}, time.Minute, Idle, "\x88\x06\x03\xe9idle"},
		{Limits{MaxAge: time.Minute, Idle: time.Hour}, time.Minute, Age, "\x88\x13\x03\xe9open for too long"},
		{Limits{MaxAge: time.Hour, Idle: time.Hour, Until: time.Unix(946684800+90, 0)}, 90 * time.Second, Expired, "\x88\x1c\x03\xf0the credential has expired"},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := NewKeeper()
			began := time.Now()
			p := open(k, tc.limits)
			if got := read(t, p.client, len(tc.close)); got != tc.close {
				t.Errorf("%s: the client got %q", tc.end, got)
			}
			if took := time.Since(began); took != tc.after {
				t.Errorf("%s: after %v, want %v", tc.end, took, tc.after)
			}
			read(t, p.service, 6+len(tc.close)-2)
			write(t, p.client, frame(opClose, "\x03\xe9", true))
			write(t, p.service, frame(opClose, "\x03\xe9", false))
			if o := <-p.outcome; o.End != tc.end {
				t.Errorf("ended by %s, want %s", o.End, tc.end)
			}
			if took := time.Since(began); took != tc.after {
				t.Errorf("%s: the answers were waited for till %v", tc.end, took)
			}
			if s := k.Stats(); s.Open != 0 || s.Opened != 1 || s.Ends[tc.end] != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// Who does not answer a Close frame is cut.
func TestNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := open(NewKeeper(), Limits{MaxAge: time.Minute, Idle: time.Hour})
		go func() { _, _ = io.Copy(io.Discard, p.client) }()
		go func() { _, _ = io.Copy(io.Discard, p.service) }()
		o := <-p.outcome
		if took := time.Since(began); o.End != Age || took != time.Minute+farewell {
			t.Errorf("%+v after %v", o, took)
		}
	})
}

// Who takes nothing at all is cut too.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := open(NewKeeper(), Limits{MaxAge: time.Hour, Idle: time.Minute})
		go func() { _, _ = p.service.Write(frame(1, "hello", false)) }()
		o := <-p.outcome
		if took := time.Since(began); o.End != Idle || took != time.Minute+farewell {
			t.Errorf("%+v after %v", o, took)
		}
	})
}

// What passes, in either direction, keeps a tunnel alive.
func TestActivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(NewKeeper(), Limits{MaxAge: time.Hour, Idle: time.Minute})
		for i := range 20 {
			time.Sleep(50 * time.Second)
			from, to := p.client, p.service
			if i%2 == 0 {
				from, to = to, from
			}
			go write(t, from, frame(9, "ping", false))
			read(t, to, 6)
		}
		_ = p.client.Close()
		if o := <-p.outcome; o.End != ByClient || o.In != 60 || o.Out != 60 {
			t.Errorf("%+v", o)
		}
	})
}

// A Close frame never stands within another frame.
func TestCloseBetweenFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := NewKeeper()
		p := open(k, day)
		whole := frame(1, strings.Repeat("x", 1000), false)
		go write(t, p.service, whole[:500])
		read(t, p.client, 500)
		k.Drain(0)
		synctest.Wait()
		go write(t, p.service, append(whole[500:], frame(1, "dropped", false)...))
		got := read(t, p.client, len(whole)-500+4+len(texts(Shutdown)))
		if want := string(whole[500:]) + "\x88\x19\x03\xe9" + texts(Shutdown); got != want {
			t.Errorf("the client got %q", got[len(whole)-500:])
		}
		// The other direction was between frames.
		read(t, p.service, 8+len(texts(Shutdown)))
		_ = p.client.Close()
		_ = p.service.Close()
		if o := <-p.outcome; o.End != Shutdown {
			t.Errorf("%+v", o)
		}
	})
}

// What is no WebSocket's is cut at its end without a word that could be taken
// for a part of it.
func TestForeignBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(NewKeeper(), Limits{MaxAge: time.Minute, Idle: time.Hour})
		foreign := []byte{0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'x', 'y'}
		go write(t, p.service, foreign)
		go func() { _, _ = io.Copy(io.Discard, p.service) }()
		got, _ := io.ReadAll(p.client)
		if string(got) != string(foreign) {
			t.Errorf("the client got %q", got)
		}
		<-p.outcome
	})
}

// A drain takes the time that it is given, and tunnels to come end at once.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := NewKeeper()
		var all []pair
		for range 10 {
			all = append(all, open(k, day))
		}
		synctest.Wait()
		began := time.Now()
		k.Drain(10 * time.Second)
		all = append(all, open(k, day))
		last := time.Duration(0)
		for _, p := range all {
			go func() { _, _ = io.Copy(io.Discard, p.service) }()
			go func() { _, _ = io.Copy(io.Discard, p.client) }()
		}
		for _, p := range all {
			if o := <-p.outcome; o.End != Shutdown {
				t.Errorf("%+v", o)
			}
			last = max(last, time.Since(began))
		}
		if last != 9*time.Second+farewell {
			t.Errorf("the last one ended after %v", last)
		}
	})
}

// After one side has ended the other may not stay for long.
func TestHalfClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(NewKeeper(), day)
		_ = p.service.Close()
		began := time.Now()
		o := <-p.outcome
		if took := time.Since(began); o.End != ByService || took != linger {
			t.Errorf("%+v after %v", o, took)
		}
	})
}

func TestCallers(t *testing.T) {
	k := NewKeeper()
	for caller, want := range []bool{true, true, false} {
		if got := k.Enter("a", 2); got != want {
			t.Errorf("number %d: %v", caller+1, got)
		}
	}
	if !k.Enter("b", 2) {
		t.Error("another caller has nothing to do with it")
	}
	k.Leave("a")
	if !k.Enter("a", 2) {
		t.Error("none came back")
	}
	k.Leave("a")
	k.Leave("a")
	k.Leave("b")
	if len(k.callers) != 0 {
		t.Errorf("%v stay", k.callers)
	}
}

// late is a connection whose writes return some time after they arrived.
type late struct{ net.Conn }

func (l late) Write(p []byte) (int, error) {
	n, err := l.Conn.Write(p)
	time.Sleep(time.Second)
	return n, err
}

// Who says Close first has ended the tunnel, however fast the other answers.
func TestWhoSaysCloseFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, ours := net.Pipe()
		service, theirs := net.Pipe()
		outcome := make(chan Outcome, 1)
		go func() {
			outcome <- NewKeeper().Join(Side{Conn: ours}, Side{Conn: late{theirs}}, day)
		}()
		go func() { _, _ = io.Copy(io.Discard, client) }()
		bye := frame(opClose, "\x03\xe8", true)
		write(t, client, bye)
		read(t, service, len(bye))
		write(t, service, frame(opClose, "\x03\xe8", false))
		_ = service.Close()
		if o := <-outcome; o.End != ByClient {
			t.Errorf("ended by %s, want %s", o.End, ByClient)
		}
	})
}

// connected returns both ends of a TCP connection.
func connected(t testing.TB) (dialled, accepted net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if dialled, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if accepted, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialled.Close(); accepted.Close() })
	return dialled, accepted
}

// Large frames pass by the kernel's hands, both ways, among small ones, and are
// followed: a tunnel that ends in one is ended behind it.
func TestLargeFrames(t *testing.T) {
	k := NewKeeper()
	client, ours := connected(t)
	service, theirs := connected(t)
	outcome := make(chan Outcome, 1)
	go func() { outcome <- k.Join(Side{Conn: ours}, Side{Conn: theirs}, day) }()
	big := strings.Repeat("0123456789abcdef", 4<<20/16)
	for _, masked := range []bool{true, false} {
		from, to := client, service
		if !masked {
			from, to = to, from
		}
		for range 3 {
			sent := append(append(frame(2, big, masked), frame(1, "small", masked)...), frame(2, big[:300<<10], masked)...)
			go func() { _, _ = from.Write(sent) }()
			if got := read(t, to, len(sent)); got != string(sent) {
				t.Fatalf("masked %v: other bytes came", masked)
			}
		}
	}
	half := frame(2, big, false)
	write(t, service, half[:1<<20])
	read(t, client, 1<<20)
	go k.Drain(0)
	go func() { _, _ = service.Write(half[1<<20:]) }()
	read(t, client, len(half)-1<<20)
	if got := read(t, client, 2); got[0] != 0x88 {
		t.Errorf("behind the frame came %q", got)
	}
	_ = client.Close()
	_ = service.Close()
	if o := <-outcome; o.End != Shutdown {
		t.Errorf("ended by %s", o.End)
	}
}

// Where the pipes are used up, large frames are copied.
func TestLargeFramesWithoutPipes(t *testing.T) {
	k := NewKeeper()
	k.pipes.Store(mostPipes)
	client, ours := connected(t)
	service, theirs := connected(t)
	outcome := make(chan Outcome, 1)
	go func() { outcome <- k.Join(Side{Conn: ours}, Side{Conn: theirs}, day) }()
	sent := frame(2, strings.Repeat("x", 1<<20), true)
	for range 2 {
		go func() { _, _ = client.Write(sent) }()
		if got := read(t, service, len(sent)); got != string(sent) {
			t.Fatal("other bytes came")
		}
	}
	_ = client.Close()
	_ = service.Close()
	<-outcome
	if n := k.pipes.Load(); n != mostPipes {
		t.Errorf("%d pipes are counted, want %d", n, mostPipes)
	}
}

func BenchmarkLargeFrames(b *testing.B) {
	client, ours := connected(b)
	service, theirs := connected(b)
	go NewKeeper().Join(Side{Conn: ours}, Side{Conn: theirs}, day)
	sent := frame(2, strings.Repeat("x", 4<<20), true)
	go func() { _, _ = io.Copy(io.Discard, service) }()
	b.SetBytes(int64(len(sent)))
	for b.Loop() {
		if _, err := client.Write(sent); err != nil {
			b.Fatal(err)
		}
	}
}

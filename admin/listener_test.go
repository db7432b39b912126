package admin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/config"
)

func TestListenerEnds(t *testing.T) {
	l := listen(t, Config{}, &fake{})
	l.Retire()
	<-l.done
	if _, err := plainClient().Get("http://" + l.Addr().String() + "/healthz"); err == nil {
		t.Error("a retired listener answers")
	}
	if err := l.Close(context.Background()); err != nil {
		t.Error(err)
	}
	taken := listen(t, Config{}, &fake{})
	_, err := Listen(taken.Addr().String(), nil, Settings{&guard{}}, &fake{}, pages(), quiet())
	if err == nil || !strings.Contains(err.Error(), "another gateway") {
		t.Errorf("a taken port: %v", err)
	}
}

// A listener that is bound and not served yet, since the reload may still fail,
// answers nobody.
func TestUnserved(t *testing.T) {
	s, _ := Config{}.Settings()
	ask := func(end func(*Listener)) string {
		l, err := Listen("127.0.0.1:0", nil, s, &fake{}, pages(), quiet())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
		end(l)
		answer := make([]byte, 12)
		n, _ := io.ReadFull(conn, answer)
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
		return string(answer[:n])
	}
	if got := ask(func(l *Listener) { l.Retire() }); got != "" {
		t.Errorf("aborted: %q", got)
	}
	if got := ask(func(l *Listener) { l.Serve(s) }); got != "HTTP/1.1 200" {
		t.Errorf("committed: %q", got)
	}
}

func panicking() Pages {
	p := pages()
	p.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("metrics") })
	return p
}

// What panics is said aloud, and ends its own connection alone.
func TestPanic(t *testing.T) {
	var said bytes.Buffer
	s, _ := Config{}.Settings()
	l, err := Listen("127.0.0.1:0", nil, s, &fake{}, panicking(), slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	l.Serve(s)
	if _, err := plainClient().Get("http://" + l.Addr().String() + "/metrics"); err == nil {
		t.Error("answered")
	}
	if answer, body := ask(t, l, plainClient(), "http", question{path: "/healthz"}); answer.StatusCode != 200 {
		t.Errorf("then: %d %s", answer.StatusCode, body)
	}
	_ = l.Close(context.Background())
	if !strings.Contains(said.String(), "panicked") {
		t.Errorf("it says %q", &said)
	}
}

// The check of the configuration cannot know where a name leads.
func TestReachable(t *testing.T) {
	s, _ := Config{}.Settings()
	if l, err := Listen("0.0.0.0:0", nil, s, &fake{}, pages(), quiet()); err == nil || !strings.Contains(err.Error(), "tls and token") {
		_ = l.Close(context.Background())
		t.Errorf("reachable by all without a credential: %v", err)
	}
	cert, key, _ := certificate(t)
	s, err := Config{
		TLS: &TLS{Cert: config.File{Content: cert}, Key: config.File{Content: key}}, Token: config.NewSecret("0123456789abcdef01234567"),
	}.Settings()
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen("0.0.0.0:0", nil, s, &fake{}, pages(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close(context.Background())
}

// Silent connections do not keep others out for long, and are bounded.
func TestManyConnections(t *testing.T) {
	l := listen(t, Config{}, &fake{})
	var held []net.Conn
	for range maxConnections + 20 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held = append(held, c)
	}
	last := held[len(held)-1]
	_ = last.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := last.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("one too many: %v", err)
	}
	for _, c := range held {
		_ = c.Close()
	}
	for range 100 {
		if answer, err := plainClient().Get("http://" + l.Addr().String() + "/healthz"); err == nil {
			answer.Body.Close()
			return
		}
	}
	t.Error("no place was given back")
}

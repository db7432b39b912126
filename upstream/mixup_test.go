package upstream

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/dial"
	"gatehouse/test/dnstest"
)

// moody is a backend that echoes each request's own token, in every framing,
// and every now and then misbehaves in a way that must not reach another
// request. It records which tokens it has seen.
type moody struct {
	seen sync.Map
	bad  atomic.Int64
}

func (m *moody) serve(_ int, conn net.Conn, r *bufio.Reader) {
	for {
		req := request(r)
		if req == nil {
			return
		}
		body, _ := io.ReadAll(req.Body)
		token := req.Header.Get("X-Token")
		if len(body) > 0 && !bytes.HasPrefix(body, []byte(token)) {
			m.bad.Add(1)
		}
		m.seen.Store(token, true)
		if !m.answer(conn, token) {
			return
		}
	}
}

// answer writes an answer, and reports whether the connection goes on.
func (m *moody) answer(conn net.Conn, token string) bool {
	pad := strings.Repeat(".", rand.IntN(3000))
	text := token + pad
	stray := "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"
	plain := fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Token: %s\r\nContent-Length: %d\r\n\r\n%s", token, len(text), text)
	chunked := fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Token: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", token, len(token), token, len(pad)+1, pad+".")
	out, goesOn := plain, true
	switch rand.IntN(20) {
	case 0: // dies within the head
		out, goesOn = plain[:20], false
	case 1: // dies within the body
		out, goesOn = plain[:len(plain)-1], false
	case 2: // sends more than it said
		out = plain + stray
	case 3:
		out = plain + "\r\n"
	case 4: // ends without saying so before
		goesOn = false
	case 5:
		out, goesOn = fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Token: %s\r\n\r\n%s", token, text), false
	case 6:
		out = "HTTP/1.1 100 Continue\r\n\r\n" + plain
	case 7: // garbage
		out, goesOn = "stray stray stray\r\n\r\n", false
	case 8, 9, 10, 11, 12:
		out = chunked
	case 13: // dies before the head
		return false
	case 14: // late, so that somebody watches
		time.Sleep(2 * slice)
	case 15: // in pieces
		for len(out) > 100 {
			n := 1 + rand.IntN(100)
			_, _ = io.WriteString(conn, out[:n])
			out = out[n:]
			runtime.Gosched()
		}
	}
	_, err := io.WriteString(conn, out)
	return err == nil && goesOn
}

// No answer ever reaches another request than its own, whatever the service
// does and however many share its connections.
func TestNoMixUp(t *testing.T) {
	m := &moody{}
	b := newBackend(t, m.serve)
	c := service(b.address())
	c.Pool.Idle = 8
	s := bind(t, c)
	for _, h2 := range []bool{false, true} {
		f := newFront(t, New(Route{Service: s, Retries: 1}), withTLS(h2))
		client := f.Client()
		client.Timeout = 10 * time.Second
		var right, wrong, failed atomic.Int64
		var all sync.WaitGroup
		for g := range 16 {
			all.Go(func() {
				for i := range 150 {
					token := fmt.Sprintf("t-%v-%d-%d-", h2, g, i)
					switch ask(client, f.URL, token) {
					case token:
						right.Add(1)
					case "":
						failed.Add(1)
					default:
						wrong.Add(1)
					}
				}
			})
		}
		all.Wait()
		if wrong.Load() > 0 || m.bad.Load() > 0 || right.Load() < 1000 {
			t.Errorf("h2 %v: %d right, %d failed, %d of another request, %d bodies of another request", h2, right.Load(), failed.Load(), wrong.Load(), m.bad.Load())
		}
		eventually(t, "requests are still counted", func() bool { return s.set.Load().endpoints[0].Load.Load() == 0 })
	}
}

// ask returns the token of a complete answer, "" where there was none.
func ask(client *http.Client, url, token string) string {
	method, body := "GET", 0
	switch rand.IntN(4) {
	case 0:
		method, body = "POST", 10
	case 1:
		method, body = "PUT", 40<<10
	}
	var src io.Reader
	if body > 0 {
		src = strings.NewReader(token + strings.Repeat("b", body))
		if rand.IntN(2) == 0 {
			src = io.MultiReader(src)
		}
	}
	req, _ := http.NewRequest(method, url+"/"+token, src)
	req.Header.Set("X-Token", token)
	resp, err := client.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		return ""
	}
	if resp.Header.Get("X-Token") != token || !strings.HasPrefix(string(got), token) || strings.Trim(string(got[len(token):]), ".") != "" {
		return "of another"
	}
	return token
}

// Everything that a keeper started ends with it.
func TestNothingLeaks(t *testing.T) {
	dns := dnstest.New(t, "orders.test. 5 IN A 127.0.0.1")
	goroutines, descriptors := runtime.NumGoroutine(), openFiles()
	func() {
		m := &moody{}
		b := newBackend(&scope{T: t}, m.serve)
		defer b.Close()
		_, port, _ := net.SplitHostPort(b.address())
		k := NewKeeper(Options{Dialer: dial.New(dial.Options{}), Log: quietLog()})
		for i := range 20 {
			c := asks(service(b.address(), "dns:orders.test:"+port), dns)
			c.Health = &Health{Path: "/", Interval: ms(5 + i), Timeout: ms(100)}
			s := bindIn(t, k, c)
			f := newFront(&scope{T: t}, New(Route{Service: s, Retries: 1}))
			for n := range 10 {
				ask(f.Client(), f.URL, fmt.Sprint("leak-", i, n))
			}
			f.CloseClientConnections()
			f.Close()
		}
		k.Close()
		b.mu.Lock()
		for _, c := range b.conns {
			c.Close()
		}
		b.mu.Unlock()
	}()
	http.DefaultClient.CloseIdleConnections()
	eventually(t, "goroutines are left", func() bool { return runtime.NumGoroutine() <= goroutines })
	eventually(t, "descriptors are left", func() bool { return openFiles() <= descriptors })
}

// scope is a test whose clean-up comes too late to be waited for.
type scope struct{ *testing.T }

func (scope) Cleanup(func()) {}

func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

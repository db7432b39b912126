package test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/exchange"
	"gatehouse/observe/recent"
	"gatehouse/test/desync"
)

// witness is a gateway before a service that records every byte that it gets.
type witness struct {
	*running
	recorder *desync.Recorder
	asked    int            // sentinels sent
	cut      []recent.Entry // requests that broke off: what was sent of them may still be on its way
}

const witnessed = `
listen:
  - {address: "127.0.0.1:0", tls: {certificates: internal}, limits: {body: 1MiB, header-timeout: 2s, body-timeout: 2s, connections-per-address: 10000}}
  - {address: "127.0.0.1:00", limits: {body: 1MiB, header-timeout: 2s, body-timeout: 2s, connections-per-address: 10000}}
log: {access: off}
services: {recorder: {targets: ["%s"], host: preserve}}
apis:
  a:
    authorize: none
    routes:
      - match: "ANY /{proxy*}"
        target: "service:recorder"
        allow-path: [empty-segment, dot-segment, backslash, semicolon, encoded-slash, encoded-semicolon, encoded-percent]
`

func newWitness(t testing.TB) *witness {
	t.Helper()
	recorder, err := desync.NewRecorder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(recorder.Close)
	return &witness{running: start(t, fmt.Sprintf(witnessed, recorder.Addr()), nil), recorder: recorder}
}

// say sends bytes on a connection of their own, without TLS, and returns what
// comes back until the gateway ends it. Whether the client says that nothing
// more comes is the caller's choice: it may be taken for gone then.
func (w *witness) say(t testing.TB, text string, ends bool) (answers string) {
	t.Helper()
	conn, err := net.Dial("tcp", w.address("127.0.0.1:00"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	go func() { // it may be answered before it has all come
		_, _ = io.WriteString(conn, text)
		if ends {
			_ = conn.(*net.TCPConn).CloseWrite()
		}
	}()
	b, err := io.ReadAll(conn)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Fatalf("the connection stays open after %q", b)
	}
	return string(b)
}

// settle returns the requests that the service has seen since it was called
// last. It fails the test where servers could see others in the same bytes, or
// where they are not those that the gateway has logged. A request of somebody
// else then comes by the same connection, and must get its own answer.
func (w *witness) settle(t testing.TB) []desync.Request {
	t.Helper()
	w.asked++
	sentinel := fmt.Sprintf("/sentinel-%d", w.asked)
	answer := w.say(t, "GET "+sentinel+" HTTP/1.1\r\nHost: somebody\r\nConnection: close\r\n\r\n", false)
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
	if a := read(resp, err); a.status != 200 || a.body != "GET "+sentinel {
		t.Errorf("somebody else asked for %s and got %d %q %v", sentinel, a.status, a.body, a.err)
	}
	all, err := w.recorder.Take(5 * time.Second)
	if err != nil {
		t.Error(err)
	}
	w.agree(t, all, w.logged(t, sentinel))
	var others []desync.Request
	for _, r := range all {
		if r.Target != sentinel {
			others = append(others, r)
		}
	}
	if len(others) != len(all)-1 {
		t.Errorf("of the last request %d were recorded", len(all)-len(others))
	}
	return others
}

// quiet waits until the gateway has no request under way: of a stream that it
// resets, its handler may still send something.
func (w *witness) quiet(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if strings.Contains(w.metrics(), "gatehouse_requests_in_flight 0\n") {
			return
		}
	}
	t.Fatal("requests that do not end")
}

// logged returns the log's entries up to that of a sentinel, from behind the
// one before.
func (w *witness) logged(t testing.TB, sentinel string) (entries []recent.Entry) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		var last []recent.Entry
		if err := w.control().Recent(t.Context(), 50, &last); err != nil {
			t.Fatal(err)
		}
		entries = entries[:0]
		found := false
		for _, e := range last {
			switch {
			case e.Path == sentinel:
				found = true
				entries = append(entries, e)
			case strings.HasPrefix(e.Path, "/sentinel-"):
				if found {
					return entries
				}
			case found:
				entries = append(entries, e)
			}
		}
		if found && len(last) < 50 {
			return entries
		}
	}
	t.Fatalf("%s is not in the log", sentinel)
	return nil
}

// agree holds what was recorded against what was logged.
func (w *witness) agree(t testing.TB, requests []desync.Request, entries []recent.Entry) {
	t.Helper()
	entries = append(entries, w.cut...)
	w.cut = w.cut[:0]
	for _, r := range requests {
		i := entryOf(&r, entries)
		if i < 0 {
			t.Errorf("not logged: %s %s with %d bytes, all of it: %v", r.Method, r.Target, len(r.Body), r.Whole)
			continue
		}
		entries = append(entries[:i:i], entries[i+1:]...)
	}
	for _, e := range entries {
		if e.Upstream != nil && e.Upstream.Status != 0 {
			t.Errorf("logged with the service's answer %d, and not recorded: %s %s", e.Upstream.Status, e.Method, e.Path)
		} else if e.Upstream != nil {
			w.cut = append(w.cut, e)
		}
	}
}

// entryOf returns which entry is a request's: of one that came whole rather one
// that was answered.
func entryOf(r *desync.Request, entries []recent.Entry) (found int) {
	found = -1
	target, _, _ := strings.Cut(r.Target, "?")
	for i, e := range entries {
		var path exchange.Path
		if e.Upstream == nil || e.Method != r.Method || path.Parse(e.Path) != nil || path.Canonical() != target {
			continue
		}
		switch {
		case r.Whole && e.BytesIn == int64(len(r.Body)):
			if found = i; e.Upstream.Status != 0 {
				return found
			}
		case !r.Whole && (e.Status >= 400 || e.Status == 0 || e.Aborted):
			return i
		}
	}
	return found
}

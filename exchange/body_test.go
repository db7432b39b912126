package exchange_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"gatehouse/exchange"
)

var testConn = &exchange.Conn{Listener: "127.0.0.1:0"}

// begin starts an Exchange for a request with this body; length -1 declares
// none.
func begin(t *testing.T, body io.Reader, length int64, budget *exchange.Budget) (*exchange.Exchange, *http.Request) {
	t.Helper()
	r := httptest.NewRequest("POST", "/", body)
	r.ContentLength = length
	x, r := exchange.Begin(httptest.NewRecorder(), r, testConn, budget)
	t.Cleanup(x.Release)
	return x, r
}

func TestBodyRead(t *testing.T) {
	x, r := begin(t, strings.NewReader("hello, world"), 12, nil)
	if got, err := x.Body.Peek(5); string(got) != "hello" || err != nil {
		t.Fatalf("peek: %q, %v", got, err)
	}
	if x.Body.Declared() != 12 || x.Body.Received() != 5 || !x.Body.Begun() {
		t.Errorf("declared %d, received %d, begun %v", x.Body.Declared(), x.Body.Received(), x.Body.Begun())
	}
	if got, err := x.Body.Peek(3); string(got) != "hel" || err != nil {
		t.Errorf("a smaller peek: %q, %v", got, err)
	}
	if got, err := x.Body.All(12); string(got) != "hello, world" || err != nil {
		t.Errorf("all: %q, %v", got, err)
	}
	if got, err := io.ReadAll(r.Body); string(got) != "hello, world" || err != nil {
		t.Errorf("read: %q, %v", got, err)
	}
	if !x.Body.Rewind() {
		t.Error("a buffered body cannot be read again")
	}
	if got, err := io.ReadAll(r.Body); string(got) != "hello, world" || err != nil {
		t.Errorf("read again: %q, %v", got, err)
	}
	if got, err := x.Body.Peek(100); string(got) != "hello, world" || err != nil {
		t.Errorf("a peek beyond the end: %q, %v", got, err)
	}
}

func TestBodyNone(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	x, r := exchange.Begin(httptest.NewRecorder(), r, testConn, exchange.NewBudget(0))
	defer x.Release()
	if got, err := x.Body.All(0); len(got) != 0 || err != nil {
		t.Errorf("all: %q, %v", got, err)
	}
	if got, err := io.ReadAll(r.Body); len(got) != 0 || err != nil || x.Body.Declared() != 0 || x.Body.Begun() {
		t.Errorf("read: %q, %v", got, err)
	}
	if err := x.Body.Close(); err != nil {
		t.Error(err)
	}
}

// What was passed on without being buffered is gone: nobody may take the rest
// for the whole.
func TestBodyGone(t *testing.T) {
	for _, part := range []int64{4, 8} {
		x, r := begin(t, strings.NewReader("12345678"), -1, nil)
		if _, err := io.CopyN(io.Discard, r.Body, part); err != nil {
			t.Fatal(err)
		}
		_, _ = r.Body.Read(make([]byte, part-4)) // the second time to the end
		if part == 8 {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		if got, err := x.Body.All(100); !errors.Is(err, exchange.ErrBodyGone) {
			t.Errorf("all after %d bytes: %q, %v", part, got, err)
		}
		if got, err := x.Body.Peek(1); !errors.Is(err, exchange.ErrBodyGone) {
			t.Errorf("peek after %d bytes: %q, %v", part, got, err)
		}
		if x.Body.Rewind() {
			t.Errorf("rewind after %d bytes", part)
		}
	}
	// The beginning that was buffered stays.
	x, r := begin(t, strings.NewReader("12345678"), 8, nil)
	if _, err := x.Body.Peek(3); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	if got, err := x.Body.Peek(2); string(got) != "12" || err != nil {
		t.Errorf("peek: %q, %v", got, err)
	}
	if _, err := x.Body.Peek(4); !errors.Is(err, exchange.ErrBodyGone) {
		t.Errorf("peek: %v", err)
	}
}

func TestBodyLimits(t *testing.T) {
	for _, test := range []struct {
		name          string
		body          string
		declared      int64
		limit, all    int64
		check, wanted error
	}{
		{"no limit", "12345", 5, 0, 5, nil, nil},
		{"at the limit", "12345", 5, 5, 9, nil, nil},
		{"declared over the limit", "12345", 5, 4, 9, exchange.ErrBodyTooLarge, exchange.ErrBodyTooLarge},
		{"sent over the limit", "12345", -1, 4, 9, nil, exchange.ErrBodyTooLarge},
		{"declared over what is asked for", "12345", 5, 0, 4, nil, exchange.ErrBodyTooLarge},
		{"sent over what is asked for", "12345", -1, 0, 4, nil, exchange.ErrBodyTooLarge},
		{"sent at what is asked for", "12345", -1, 0, 5, nil, nil},
		{"nothing asked for", "", -1, 0, 0, nil, nil},
		{"as much as there is", "12345", -1, 0, 1<<63 - 1, nil, nil},
	} {
		x, _ := begin(t, iotest.OneByteReader(strings.NewReader(test.body)), test.declared, nil)
		x.Body.SetLimit(test.limit)
		if err := x.Body.Check(); !errors.Is(err, test.check) {
			t.Errorf("%s: check: %v", test.name, err)
		}
		got, err := x.Body.All(test.all)
		if !errors.Is(err, test.wanted) || err == nil && string(got) != test.body {
			t.Errorf("%s: %q, %v", test.name, got, err)
		}
	}
	// Streaming ends at the limit, too, and stays ended.
	x, r := begin(t, iotest.OneByteReader(strings.NewReader("12345")), -1, nil)
	x.Body.SetLimit(3)
	got, err := io.ReadAll(r.Body)
	if string(got) != "123" || !errors.Is(err, exchange.ErrBodyTooLarge) {
		t.Errorf("streamed: %q, %v", got, err)
	}
	if n, err := r.Body.Read(make([]byte, 9)); n != 0 || !errors.Is(err, exchange.ErrBodyTooLarge) {
		t.Errorf("after the limit: %d, %v", n, err)
	}
	// A limit that is set after the body was buffered holds as well.
	x, _ = begin(t, strings.NewReader("12345"), -1, nil)
	_, _ = x.Body.All(9)
	x.Body.SetLimit(4)
	if err := x.Body.Check(); !errors.Is(err, exchange.ErrBodyTooLarge) {
		t.Errorf("a limit set late: %v", err)
	}
}

func TestBodyBudget(t *testing.T) {
	budget := exchange.NewBudget(100 << 10)
	big := strings.Repeat("x", 80<<10)
	x, _ := begin(t, strings.NewReader(big), -1, budget)
	if got, err := x.Body.All(1 << 20); len(got) != len(big) || err != nil {
		// Doubling may have asked for more than the budget.
		if !errors.Is(err, exchange.ErrBodyBudget) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	taken := budget.Used()
	if taken <= 0 || taken > 100<<10 {
		t.Errorf("%d bytes taken", taken)
	}
	y, _ := begin(t, strings.NewReader(big), int64(len(big)), budget)
	if _, err := y.Body.All(1 << 20); !errors.Is(err, exchange.ErrBodyBudget) {
		t.Errorf("a second body: %v", err)
	}
	x.Finish()
	y.Abort()
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes are still taken", used)
	}
	var none *exchange.Budget
	if none.Used() != 0 {
		t.Error("no budget is used")
	}
}

// A length that is only declared takes little of the budget.
func TestBodyDeclaredTakesLittle(t *testing.T) {
	budget := exchange.NewBudget(1 << 20)
	x, _ := begin(t, io.MultiReader(strings.NewReader("x"), iotest.ErrReader(io.ErrUnexpectedEOF)), 1<<19, budget)
	if _, err := x.Body.All(1 << 20); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if used := budget.Used(); used > 64<<10 {
		t.Errorf("%d bytes for one that came", used)
	}
	x.Finish()
	// A body of a known length is not copied for room to see its end.
	body := strings.Repeat("y", 5000)
	y, _ := begin(t, strings.NewReader(body), 5000, budget)
	if got, err := y.Body.All(1 << 20); string(got) != body || err != nil || budget.Used() != 5001 {
		t.Errorf("%d bytes, %v, %d of the budget", len(got), err, budget.Used())
	}
	y.Finish()
}

func TestBodyBroken(t *testing.T) {
	cut := errors.New("connection reset")
	x, r := begin(t, io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(cut)), -1, nil)
	if got, err := x.Body.Peek(3); string(got) != "123" || err != nil {
		t.Errorf("peek: %q, %v", got, err)
	}
	if _, err := x.Body.All(100); !errors.Is(err, cut) {
		t.Errorf("all: %v", err)
	}
	if got, err := io.ReadAll(r.Body); string(got) != "12345" || !errors.Is(err, cut) {
		t.Errorf("read: %q, %v", got, err)
	}
	if got, err := x.Body.Peek(5); string(got) != "12345" || err != nil {
		t.Errorf("peek of what came: %q, %v", got, err)
	}
	y, _ := begin(t, idle{}, -1, nil)
	if _, err := y.Body.Peek(1); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a connection without progress: %v", err)
	}
}

// idle returns nothing, for ever.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestBodyRefusal(t *testing.T) {
	rule := &exchange.Rule{Filter: "test"}
	for _, test := range []struct {
		err    error
		status int
		reason string
	}{
		{exchange.ErrBodyTooLarge, 413, "body-too-large"},
		{fmt.Errorf("read: %w", exchange.ErrBodyBudget), 503, "body-budget"},
		{exchange.ErrBodyGone, 500, "body-gone"},
		{os.ErrDeadlineExceeded, 408, "body-timeout"},
		{io.ErrUnexpectedEOF, 400, "body-cut"},
		{errors.New("malformed chunk"), 400, "body-broken"},
	} {
		f := exchange.BodyRefusal(rule, test.err)
		if f.Status != test.status || f.Reason != test.reason || f.Rule != rule || f.Header.Get("Connection") != "close" {
			t.Errorf("%v: %d %s", test.err, f.Status, f.Reason)
		}
	}
}

// serve runs a server whose handler gets the Exchange, and returns its address.
func serve(t *testing.T, handler func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, r := exchange.Begin(w, r, testConn, nil)
		handler(x, &x.Writer, r)
		x.Finish()
		aborted := x.Aborted
		x.Release()
		if aborted {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// talk sends text and returns the connection to read the answers from.
func talk(t *testing.T, addr, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

func TestBodyContinue(t *testing.T) {
	head := "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
	t.Run("read", func(t *testing.T) {
		addr := serve(t, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			first, err := x.Body.Peek(2)
			rest, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %v %s", first, err, rest)
		})
		c, in := talk(t, addr, head)
		line, _ := in.ReadString('\n')
		blank, _ := in.ReadString('\n')
		if line != "HTTP/1.1 100 Continue\r\n" || blank != "\r\n" {
			t.Fatalf("%q %q", line, blank)
		}
		_, _ = io.WriteString(c, "hello")
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if got, _ := io.ReadAll(res.Body); string(got) != "he <nil> hello" {
			t.Errorf("%q", got)
		}
	})
	t.Run("refused unread", func(t *testing.T) {
		addr := serve(t, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
			x.Body.SetLimit(3)
			if _, err := x.Body.Peek(2); err != nil {
				exchange.Refuse(w, r, exchange.BodyRefusal(&exchange.Rule{}, err))
			}
			if x.Body.Begun() {
				t.Error("the body was begun")
			}
		})
		_, in := talk(t, addr, head)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if got, _ := io.ReadAll(res.Body); res.StatusCode != 413 || string(got) != `{"message":"Request Too Long"}` {
			t.Errorf("%d %q", res.StatusCode, got)
		}
	})
}

// Chunked bodies of a real server arrive whole, in any mixture of reads.
func TestBodyOverServer(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	addr := serve(t, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		if got, err := x.Body.Peek(70_000); len(got) != 70_000 || err != nil {
			t.Errorf("peek: %d, %v", len(got), err)
		}
		if r.Header.Get("X-All") != "" {
			if got, err := x.Body.All(1 << 20); !bytes.Equal(got, body) || err != nil {
				t.Errorf("all: %d, %v", len(got), err)
			}
		}
		got, err := io.ReadAll(r.Body)
		if !bytes.Equal(got, body) || err != nil {
			t.Errorf("read: %d, %v", len(got), err)
		}
		if x.Body.Received() != int64(len(body)) {
			t.Errorf("received %d", x.Body.Received())
		}
	})
	for _, all := range []string{"", "yes"} {
		for _, declared := range []bool{true, false} {
			var from io.Reader = bytes.NewReader(body)
			if !declared {
				from = io.MultiReader(from)
			}
			r, _ := http.NewRequest("POST", "http://"+addr, from)
			r.Header.Set("X-All", all)
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
		}
	}
}

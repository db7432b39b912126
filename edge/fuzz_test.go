package edge

import (
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/edge/fields"
)

// FuzzRequest sends bytes as a client would, and then nothing more. Whatever
// they are: the connection ends, every answer has one of the statuses that the
// edge and its engine give, and what reaches the handler is in the form that
// everything behind relies on.
func FuzzRequest(f *testing.F) {
	for _, line := range []string{
		"GET / HTTP/1.1", "GET /a?b=c#d HTTP/1.1", "HEAD /%2e%2e/ HTTP/1.0", "OPTIONS * HTTP/1.1", "CONNECT a.test:443 HTTP/1.1",
		"GET http://a.test/x HTTP/1.1", "GET HTTPS://A.test:1?x HTTP/1.1", "GET http://u@a.test/ HTTP/1.1", "GET ftp://a.test/ HTTP/1.1", "GET //b.test/x HTTP/1.1",
		"PRI * HTTP/2.0", "GET / HTTP/0.9", "GET /", "get / http/1.1", "GET  / HTTP/1.1", "GET /a b HTTP/1.1", "GET\t/ HTTP/1.1", "G\x00T / HTTP/1.1", "GET /\xff HTTP/1.1", "", " ", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2",
	} {
		f.Add([]byte(line + "\r\nHost: a.test\r\n\r\n"))
	}
	for _, head := range []string{
		"Host: a.test\r\nHost: b.test", "Host:", "Host: a.test, b.test", "Host: [::1]:80", "host : a.test", " Host: a.test", "Host: a.test\r\n folded", "Host: a.test\nX: y",
		"Host: a.test\r\nContent-Length: 1", "Host: a.test\r\nContent-Length: +1", "Host: a.test\r\nContent-Length: 0\r\nTransfer-Encoding: chunked", "Host: a.test\r\nTransfer-Encoding: xchunked",
		"Host: a.test\r\nConnection: upgrade, x-forwarded-for\r\nUpgrade: h2c", "Host: a.test\r\nX_Forwarded_For: 1.1.1.1\r\nForwarded: for=1.1.1.1", "Host: a.test\r\nExpect: 100-continue", "Host: a.test\r\nX: \x00",
	} {
		f.Add([]byte("POST /x HTTP/1.1\r\n" + head + "\r\n\r\n0\r\nX-Forwarded-For: 1.1.1.1\r\n\r\nGET /y HTTP/1.1\r\nHost: b.test\r\n\r\n"))
	}
	wrong := make(chan string, 100)
	h := newHouse(f, func(w http.ResponseWriter, r *http.Request) {
		if problem := malformed(r); problem != "" {
			wrong <- problem
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}, listenerConfig(func(l *Listener) { l.Limits.ConnectionsPerAddress = 10000 }))
	address := h.addr()
	f.Fuzz(func(t *testing.T, sent []byte) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Skip(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		go func() {
			_, _ = c.Write(sent)
			_ = c.(*net.TCPConn).CloseWrite()
		}()
		answer, err := io.ReadAll(c)
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Fatal("the connection stays")
		}
		checkAnswer(t, string(answer))
		select {
		case problem := <-wrong:
			t.Error(problem)
		default:
		}
	})
}

// checkAnswer holds the first answer to what the edge and its engine may say.
func checkAnswer(t *testing.T, answer string) {
	if answer == "" {
		return // the client broke off
	}
	status, ok := strings.CutPrefix(answer, "HTTP/1.")
	if !ok || len(status) < 5 {
		t.Fatalf("%q", answer)
	}
	n, _ := strconv.Atoi(status[2:5])
	if !slices.Contains([]int{100, 204, 400, 405, 408, 417, 431, 501, 505}, n) {
		t.Errorf("%q", answer)
	}
}

// malformed returns what is wrong with a request that the edge let through.
func malformed(r *http.Request) string {
	switch target := Target(r); {
	case target == "" || target[0] != '/' || strings.ContainsAny(target, " \r\n\t\x00"):
		return "the target " + strconv.Quote(target)
	case !validHost(r.Host) || Host(r) == "":
		return "the host " + strconv.Quote(r.Host)
	case r.Method == http.MethodConnect || strings.ContainsAny(r.Method, " \r\n\x00"):
		return "the method " + strconv.Quote(r.Method)
	case strings.Join(r.Header["X-Forwarded-For"], "|") != "127.0.0.1":
		return "X-Forwarded-For " + strings.Join(r.Header["X-Forwarded-For"], "|")
	}
	for name, values := range r.Header {
		class := fields.Classify(name)
		ours := strings.HasPrefix(name, "X-Forwarded-") && len(values) == 1
		if class != fields.Free && !ours && name != "Te" && name != "Upgrade" {
			return "the field " + strconv.Quote(name)
		}
		if strings.ContainsAny(strings.Join(values, ""), "\r\n\x00") {
			return "a value of " + strconv.Quote(name)
		}
	}
	for name := range r.Trailer {
		if fields.Classify(name) != fields.Free {
			return "the trailer " + strconv.Quote(name)
		}
	}
	return ""
}

package desync

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// Message is what a client might send on one connection, made up of parts that
// are good and parts that are not: the same for the same source.
func Message(rnd *rand.Rand) string {
	var b strings.Builder
	for range 1 + rnd.IntN(3) {
		request(&b, rnd)
	}
	s := b.String()
	switch rnd.IntN(12) {
	case 0: // the client goes away
		s = s[:rnd.IntN(len(s))]
	case 1: // one byte is another
		i := rnd.IntN(len(s))
		s = s[:i] + string([]byte{oddBytes[rnd.IntN(len(oddBytes))]}) + s[i+1:]
	case 2: // one is too much
		i := rnd.IntN(len(s))
		s = s[:i] + string([]byte{oddBytes[rnd.IntN(len(oddBytes))]}) + s[i:]
	}
	return s
}

const oddBytes = "\r\n\x00\t \v\f:;,\x7f\x80\xffxX0_"

// The parts of a request. What stands first is good, and is taken often.
var (
	methods = []string{"POST", "GET", "PUT", "GET", "PUT", "POST", "PATCH", "HEAD", "DELETE", "OPTIONS", "QUERY", "get", "CONNECT", "G\tET", "P@ST"}
	targets = []string{
		"/a", "/a?b=c", "/early", "/deny", "http://h/a", "http://h?x", "HTTP://h/a", "http://other/a", "//h/a", "*", "/a b", "/%20", "/%0d%0aX:1", "/a#b",
		"/\x80", "/a?\x80", "/a;b", "/a/../b", "", "h:80", "http://u@h/", "/a?GET%20/x%20HTTP/1.1",
	}
	versions = []string{"HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/01.1", "HTTP/1.1 ", ""}
	ends     = []string{"\r\n", "\r\n", "\n", "\r", "\r\r\n", "\n\n"}
	extra    = []string{
		"Accept: */*", "Connection: keep-alive", "Connection: close", "Connection: Content-Length", "Connection: Transfer-Encoding, Host", "Connection: X-A, , y",
		"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk", "Connection: Upgrade\r\nUpgrade: websocket", "Expect: 100-continue", "Expect: 200-ok",
		"Te: trailers", "Te: gzip, trailers;q=1", "Trailer: X-Sum", "Trailer: Content-Length", "Trailer: Authorization, X-Sum",
		"X_Forwarded_For: 1.1.1.1", "X-Forwarded-For: 1.1.1.1", "X.Forwarded.For: 1.1.1.1", "X-Forwarded_Host: evil", "Proxy: http://evil", "X-HTTP-Method-Override: DELETE", "X-Original-URL: /admin",
		"Content_Length: 30", "Transfer_Encoding: chunked", "Content--Length: 30", "Transfer.Encoding: chunked", "Content-Length : 30", "Transfer-Encoding\t: chunked", "Transfer-Encoding\x0b: chunked", " Content-Length: 30",
		"X: a\r\n b", "X: a\r\n\tTransfer-Encoding: chunked", "X: a\rContent-Length: 30", "X: a\nContent-Length: 30", "X: a\x00b", "X: \x7f", ": x", "X", "X:", "X:\t a \t", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive",
		"Host: h", "Host: other", "Content-Encoding: gzip", "Content-Type: text/plain", "Cookie: a=b", "Cookie: c=d", "Forwarded: for=1.1.1.1", "Transfer-Encoding-X: chunked",
	}
	hosts   = []string{"Host: h", "Host: h", "Host: h", "Host:h:80", "Host: [::1]", "Host: a b", "Host: h/x", "Host: h,g", "Host: ", "host: H", "X: no host"}
	lengths = []string{"%d", "%d", "%d", "+%d", "-%d", "0%d", "0x%d", "%d, %d", "%d,%d", "%d ", "\v%d", "%d\r\nContent-Length: %d", "%d\r\nContent-Length: 0", "", "99999999999999999999%d", "%d.0", "1_%d"}
	codings = []string{
		"chunked", "chunked", "chunked", "Chunked", "chunked, identity", "identity, chunked", "gzip, chunked", "chunked, chunked", "chunked;q=1", " chunked", "\vchunked", "chunked\x00", "\"chunked\"", "xchunked", "identity", "",
		"chunked\r\nTransfer-Encoding: chunked", "chunked\r\nTransfer-Encoding: identity", "chunked\r\nContent-Length: 3", "chunke\xc4\xb1d",
	}
	bodies  = []string{"", "hello", "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n", "0\r\n\r\n", "\r\n", "5\r\nhello\r\n0\r\n\r\n"}
	sizes   = []string{"%x", "%x", "%x", "%X", "0%x", "0x%x", "%x;a=b", "%x;a=\"b\r\nc\"", "%x ", " %x", "%x\t", "-%x", "+%x", "%x;\n", "%x;a=\x00", "00000000000000000%x", "1%x", ""}
	trailer = []string{"", "", "", "X-Sum: 1", "Content-Length: 30", "Transfer-Encoding: chunked", "Authorization: x", "Host: evil", "X_Forwarded_For: 1", "X: a\r\n b", "X : a", "X: a\nY: b", ":x", "GET /smuggled HTTP/1.1"}
)

// pick takes the first of the parts, or with some luck any.
func pick(rnd *rand.Rand, parts []string, odds int) string {
	if rnd.IntN(odds) > 0 {
		return parts[0]
	}
	return parts[rnd.IntN(len(parts))]
}

func request(b *strings.Builder, rnd *rand.Rand) {
	end := func() { b.WriteString(pick(rnd, ends, 200)) }
	if rnd.IntN(80) == 0 {
		end()
	}
	method := pick(rnd, methods, 2)
	b.WriteString(method + pick(rnd, []string{" ", "\t", "  ", ""}, 200) + pick(rnd, targets, 3) + pick(rnd, []string{" ", "\t", "  ", "\v"}, 200) + pick(rnd, versions, 24))
	end()
	lines := []string{pick(rnd, hosts, 16)}
	for range rnd.IntN(3) {
		lines = append(lines, extra[rnd.IntN(len(extra))])
	}
	body := ""
	if method != "GET" && method != "HEAD" || rnd.IntN(8) == 0 {
		body = bodies[rnd.IntN(len(bodies))]
		if rnd.IntN(20) == 0 {
			body = strings.Repeat(body, 1+rnd.IntN(2000))
		}
		if rnd.IntN(2) == 0 {
			lines = append(lines, "Content-Length: "+strings.ReplaceAll(pick(rnd, lengths, 8), "%d", strconv.Itoa(len(body))))
		} else {
			lines = append(lines, "Transfer-Encoding: "+pick(rnd, codings, 8))
			body = chunked(rnd, body)
		}
	}
	rnd.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	for _, line := range lines {
		b.WriteString(line)
		end()
	}
	end()
	b.WriteString(body)
}

func chunked(rnd *rand.Rand, body string) string {
	var b strings.Builder
	for body != "" {
		n := 1 + rnd.IntN(len(body))
		size := strconv.FormatInt(int64(n), 16)
		b.WriteString(strings.NewReplacer("%x", size, "%X", strings.ToUpper(size)).Replace(pick(rnd, sizes, 16)))
		b.WriteString(pick(rnd, ends, 200) + body[:n] + pick(rnd, ends, 200))
		body = body[n:]
	}
	b.WriteString(pick(rnd, []string{"0", "00", "0;x", "", "-0", "0x0"}, 12) + pick(rnd, ends, 200))
	if line := pick(rnd, trailer, 3); line != "" {
		b.WriteString(line + pick(rnd, ends, 200))
	}
	b.WriteString(pick(rnd, ends, 200))
	return b.String()
}

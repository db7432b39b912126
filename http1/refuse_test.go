package http1_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// What is refused before a handler sees it, with the status and the reason.
func TestRefusals(t *testing.T) {
	const host = "Host: h\r\n"
	post := func(fields string) string { return "POST / HTTP/1.1\r\n" + host + fields + "\r\n" }
	for name, tt := range map[string]struct {
		request string
		status  int
		reason  string
	}{
		"no method":                   {" / HTTP/1.1\r\n" + host + "\r\n", 400, "bad-request"},
		"an empty line":               {"\r\nGET / HTTP/1.1\r\n" + host + "\r\n", 400, "bad-request"},
		"two spaces":                  {"GET  / HTTP/1.1\r\n" + host + "\r\n", 400, "bad-request"},
		"a tab":                       {"GET\t/ HTTP/1.1\r\n" + host + "\r\n", 400, "bad-request"},
		"a space in the target":       {"GET /a b HTTP/1.1\r\n" + host + "\r\n", 400, "bad-request"},
		"a control byte in it":        {"GET /a\x01 HTTP/1.1\r\n" + host + "\r\n", 400, "bad-request"},
		"no version":                  {"GET /\r\n" + host + "\r\n", 400, "bad-request"},
		"a lower-case version":        {"GET / http/1.1\r\n" + host + "\r\n", 400, "bad-request"},
		"HTTP/1.2":                    {"GET / HTTP/1.2\r\n" + host + "\r\n", 505, "version"},
		"HTTP/2 by prior knowledge":   {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version"},
		"HTTP/0.9":                    {"GET / HTTP/0.9\r\n" + host + "\r\n", 505, "version"},
		"TLS":                         {"\x16\x03\x01\x02\x00\x01", 400, "bad-request"},
		"a bare LF in the line":       {"GET / HTTP/1.1\n" + host + "\r\n", 400, "bad-request"},
		"a bare LF in a field":        {"GET / HTTP/1.1\r\nHost: h\n\r\n", 400, "bad-request"},
		"a bare LF at the end":        {"GET / HTTP/1.1\r\nHost: h\r\n\n", 400, "bad-request"},
		"a bare CR":                   {"GET / HTTP/1.1\r\n" + host + "A: b\rc\r\n\r\n", 400, "bad-request"},
		"a folded line":               {"GET / HTTP/1.1\r\n" + host + "A: b\r\n c\r\n\r\n", 400, "bad-request"},
		"a folded first line":         {"GET / HTTP/1.1\r\n " + host + "\r\n", 400, "bad-request"},
		"a space before the colon":    {"GET / HTTP/1.1\r\n" + host + "A : b\r\n\r\n", 400, "bad-request"},
		"a control byte in a name":    {"GET / HTTP/1.1\r\n" + host + "A\x01: b\r\n\r\n", 400, "bad-request"},
		"a byte beyond ASCII in one":  {"GET / HTTP/1.1\r\n" + host + "A\xff: b\r\n\r\n", 400, "bad-request"},
		"an empty name":               {"GET / HTTP/1.1\r\n" + host + ": b\r\n\r\n", 400, "bad-request"},
		"no colon":                    {"GET / HTTP/1.1\r\n" + host + "A\r\n\r\n", 400, "bad-request"},
		"a NUL in a value":            {"GET / HTTP/1.1\r\n" + host + "A: \x00\r\n\r\n", 400, "bad-request"},
		"no Host":                     {"GET / HTTP/1.1\r\n\r\n", 400, "bad-request"},
		"two Hosts":                   {"GET / HTTP/1.1\r\n" + host + host + "\r\n", 400, "bad-request"},
		"another host in the target":  {"GET http://other/ HTTP/1.1\r\n" + host + "\r\n", 400, "bad-request"},
		"no path":                     {"GET a/b HTTP/1.1\r\n" + host + "\r\n", 400, "bad-request"},
		"both lengths":                {post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400, "bad-request"},
		"both lengths, the other way": {post("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), 400, "bad-request"},
		"one length twice":            {post("Content-Length: 1\r\nContent-Length: 1\r\n"), 400, "bad-request"},
		"two lengths":                 {post("Content-Length: 1\r\nContent-Length: 2\r\n"), 400, "bad-request"},
		"a list of lengths":           {post("Content-Length: 1, 1\r\n"), 400, "bad-request"},
		"a signed length":             {post("Content-Length: +1\r\n"), 400, "bad-request"},
		"a hexadecimal length":        {post("Content-Length: 0x1\r\n"), 400, "bad-request"},
		"an empty length":             {post("Content-Length:\r\n"), 400, "bad-request"},
		"a length with a space":       {post("Content-Length: 1 2\r\n"), 400, "bad-request"},
		"a length too large":          {post("Content-Length: 99999999999999999999\r\n"), 400, "bad-request"},
		"gzip, chunked":               {post("Transfer-Encoding: gzip, chunked\r\n"), 400, "bad-request"},
		"chunked, gzip":               {post("Transfer-Encoding: chunked, gzip\r\n"), 400, "bad-request"},
		"chunked with a parameter":    {post("Transfer-Encoding: chunked;q=1\r\n"), 400, "bad-request"},
		"chunked twice":               {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400, "bad-request"},
		"identity":                    {post("Transfer-Encoding: identity\r\n"), 400, "bad-request"},
		"chunked with a form feed":    {post("Transfer-Encoding: \fchunked\r\n"), 400, "bad-request"},
		"chunked in HTTP/1.0":         {"POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n", 400, "bad-request"},
		"an underscore":               {post("Content_Length: 1\r\n"), 400, "bad-request"},
		"a dot":                       {post("Transfer.Encoding: chunked\r\n"), 400, "bad-request"},
		"punctuation around":          {post("~Content-Length!: 1\r\n"), 400, "bad-request"},
		"many hyphens":                {post("Transfer---Encoding: chunked\r\n"), 400, "bad-request"},
		"a body with GET":             {"GET / HTTP/1.1\r\n" + host + "Content-Length: 1\r\n\r\nx", 400, "bad-request"},
		"chunks with HEAD":            {"HEAD / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "bad-request"},
		"a framing trailer":           {post("Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n"), 400, "bad-request"},
		"another expectation":         {post("Content-Length: 1\r\nExpect: 200-ok\r\n"), 417, "expectation"},
		"a target too long":           {"GET /" + strings.Repeat("a", 20_000) + " HTTP/1.1\r\n" + host + "\r\n", 414, "target-too-long"},
		"a head too long":             {"GET / HTTP/1.1\r\n" + host + "A: " + strings.Repeat("a", 20_000) + "\r\n\r\n", 431, "header-too-large"},
		"too many fields":             {"GET / HTTP/1.1\r\n" + host + strings.Repeat("A: b\r\n", 100) + "\r\n", 431, "header-too-large"},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, settings(), func(w http.ResponseWriter, r *http.Request) {
				t.Errorf("served: %s %s %v", r.Method, r.RequestURI, r.Header)
			})
			method, _, _ := strings.Cut(tt.request, " ")
			resp := answers(t, e.send(tt.request), method)[0]
			if resp.StatusCode != tt.status || !resp.Close || resp.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%d, close %v, %v", resp.StatusCode, resp.Close, resp.Header)
			}
			if body := bodyOf(resp); method != "HEAD" && !strings.HasPrefix(body, `{"message":"`) {
				t.Errorf("%q", body)
			}
			e.close()
			if len(e.faults) != 1 || e.faults[0].Status != tt.status || e.faults[0].Reason != tt.reason || e.faults[0].Detail == "" {
				t.Errorf("%+v", e.faults)
			}
			if strings.ContainsAny(e.faults[0].Detail, "\r\n\x00") {
				t.Errorf("%q", e.faults[0].Detail)
			}
		})
	}
}

// What is unusual and must be served.
func TestNotRefused(t *testing.T) {
	for name, request := range map[string]string{
		"no space after the colon": "GET / HTTP/1.1\r\nHost:h\r\n\r\n",
		"an empty Host":            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
		"no body with GET":         "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
		"chunked in capitals":      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n",
		"an odd method":            "M-SEARCH / HTTP/1.1\r\nHost: h\r\n\r\n",
		"UTF-8":                    "GET /ü HTTP/1.1\r\nHost: h\r\nX: ü\r\n\r\n",
		"HTTP/1.0 without Host":    "GET / HTTP/1.0\r\n\r\n",
		"a field like a framing's": "GET / HTTP/1.1\r\nHost: h\r\nContent-Lengths: 1\r\nTransfer-Encoding-X: 1\r\nTe: trailers\r\n\r\n",
		"99 fields":                "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("A: b\r\n", 99) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, settings(), func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				w.Header().Set("Connection", "close")
			})
			if resp := answers(t, e.send(request), "GET")[0]; resp.StatusCode != 200 {
				t.Errorf("%d %+v", resp.StatusCode, e.faults)
			}
		})
	}
}

// A client that still sends gets the refusal nevertheless.
func TestRefusalReachesWhoStillSends(t *testing.T) {
	e := start(t, settings(), func(http.ResponseWriter, *http.Request) {})
	c := e.dial()
	go io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"+strings.Repeat("x", 200_000))
	all, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 400 Bad Request\r\n") {
		t.Errorf("%q %v", all, err)
	}
}

func TestBrokenHeads(t *testing.T) {
	e := start(t, settings(), func(http.ResponseWriter, *http.Request) {})
	for range 3 {
		c := e.dial()
		io.WriteString(c, "GET / HT")
		c.Close()
	}
	e.dial().Close()
	eventually(t, "three broken heads", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.broken == 3 && len(e.conns) == 0
	})
}

package desync

import "testing"

// What is good is found, by all in the same way.
func TestFound(t *testing.T) {
	const (
		get   = "GET /a?b HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
		post  = "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /"
		parts = "PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n4\r\n0\r\n\r\r\na\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n"
	)
	all, err := Find(get + post + parts + get)
	if err != nil || len(all) != 4 || all[1].Body != "GET /" || all[2].Body != "0\r\n\r0123456789" || !all[3].Whole {
		t.Errorf("%+v, %v", all, err)
	}
	for n := range len(post) {
		all, err := Find(get + post[:n])
		if want := 1 + min(1, n/(len(post)-5)); err != nil || len(all) != want || want == 2 && all[1].Whole {
			t.Errorf("the first %d bytes: %+v, %v", n, all, err)
		}
	}
}

// What servers may read in two ways is told of.
func TestTold(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: h\r\n"
	for name, s := range map[string]string{
		"both lengths":         head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two lengths":          head + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
		"a signed length":      head + "Content-Length: +1\r\n\r\nx",
		"an underscore":        head + "Content_Length: 30\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"two dashes":           head + "Transfer--Encoding: chunked\r\n\r\n",
		"a dot":                head + "Transfer.Encoding: chunked\r\n\r\n",
		"another coding":       head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"a chunk extension":    head + "Transfer-Encoding: chunked\r\n\r\n1;x\r\nx\r\n0\r\n\r\n",
		"a bare LF":            "GET / HTTP/1.1\nHost: h\r\n\r\n",
		"a bare CR":            "GET / HTTP/1.1\r\nHost: h\r\nX: a\rContent-Length: 1\r\n\r\n",
		"NUL":                  "GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
		"a folded line":        "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
		"a space in a name":    "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
		"a space in a target":  "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
		"a space in a method":  "GET /a HTTP/1.1 / HTTP/1.1\r\nHost: h\r\n\r\n",
		"a whole URL":          "GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
		"no Host":              "GET / HTTP/1.1\r\n\r\n",
		"two Hosts":            "GET / HTTP/1.1\r\nHost: h\r\nHost: g\r\n\r\n",
		"an empty line before": "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"an upgrade":           "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n",
		"a second address":     "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: a\r\nX_Forwarded_For: b\r\n\r\n",
		"a trailer that acts":  head + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n",
	} {
		if all, err := Find(s); err == nil {
			t.Errorf("%s: nothing was told of %+v", name, all)
		}
	}
}

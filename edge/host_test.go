package edge

import (
	"bufio"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	tests := map[string]struct {
		head   string
		reason string // "" where it passes
		host   string
		target string
	}{
		"ordinary":             {"GET /a?b=c HTTP/1.1\r\nHost: shop.test", "", "shop.test", "/a?b=c"},
		"port":                 {"GET / HTTP/1.1\r\nHost: shop.test:8443", "", "shop.test", "/"},
		"empty port":           {"GET / HTTP/1.1\r\nHost: shop.test:", "", "shop.test", "/"},
		"case and final dot":   {"GET / HTTP/1.1\r\nHost: Shop.TEST.:80", "", "shop.test", "/"},
		"IPv4":                 {"GET / HTTP/1.1\r\nHost: 192.0.2.1:80", "", "192.0.2.1", "/"},
		"IPv6":                 {"GET / HTTP/1.1\r\nHost: [2001:DB8::1]:80", "", "[2001:db8::1]", "/"},
		"IPv6 without port":    {"GET / HTTP/1.1\r\nHost: [::1]", "", "[::1]", "/"},
		"underscore":           {"GET / HTTP/1.1\r\nHost: my_service.test", "", "my_service.test", "/"},
		"CONNECT":              {"CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test", "method", "", ""},
		"CONNECT with a path":  {"CONNECT /x HTTP/1.1\r\nHost: shop.test", "method", "", ""},
		"OPTIONS *":            {"OPTIONS * HTTP/1.1\r\nHost: shop.test", "target", "", ""},
		"OPTIONS":              {"OPTIONS /x HTTP/1.1\r\nHost: shop.test", "", "shop.test", "/x"},
		"no Host in 1.0":       {"GET / HTTP/1.0", "host", "", ""},
		"Host in 1.0":          {"GET / HTTP/1.0\r\nHost: shop.test", "", "shop.test", "/"},
		"empty Host":           {"GET / HTTP/1.1\r\nHost: ", "host", "", ""},
		"userinfo":             {"GET / HTTP/1.1\r\nHost: user@shop.test", "host", "", ""},
		"two hosts":            {"GET / HTTP/1.1\r\nHost: a.test,b.test", "host", "", ""},
		"slash":                {"GET / HTTP/1.1\r\nHost: shop.test/x", "host", "", ""},
		"backslash":            {"GET / HTTP/1.1\r\nHost: shop.test\\x", "host", "", ""},
		"percent":              {"GET / HTTP/1.1\r\nHost: shop%2etest", "host", "", ""},
		"port with letters":    {"GET / HTTP/1.1\r\nHost: shop.test:8a", "host", "", ""},
		"port too large":       {"GET / HTTP/1.1\r\nHost: shop.test:65536", "host", "", ""},
		"two colons":           {"GET / HTTP/1.1\r\nHost: shop.test:80:80", "host", "", ""},
		"bare IPv6":            {"GET / HTTP/1.1\r\nHost: 2001:db8::1", "host", "", ""},
		"IPv6 zone":            {"GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]", "host", "", ""},
		"brackets around IPv4": {"GET / HTTP/1.1\r\nHost: [192.0.2.1]", "host", "", ""},
		"open bracket":         {"GET / HTTP/1.1\r\nHost: [::1", "host", "", ""},
		"empty label":          {"GET / HTTP/1.1\r\nHost: shop..test", "host", "", ""},
		"first dot":            {"GET / HTTP/1.1\r\nHost: .test", "host", "", ""},
		"dot alone":            {"GET / HTTP/1.1\r\nHost: .", "host", "", ""},
		"UTF-8":                {"GET / HTTP/1.1\r\nHost: b\u00fccher.test", "host", "", ""},
		"label too long":       {"GET / HTTP/1.1\r\nHost: " + strings.Repeat("a", 64) + ".test", "host", "", ""},
		"name too long":        {"GET / HTTP/1.1\r\nHost: " + strings.Repeat("a.", 130) + "test", "host", "", ""},
		"absolute":             {"GET http://shop.test/a?b HTTP/1.1\r\nHost: shop.test", "", "shop.test", "/a?b"},
		"absolute, https":      {"GET HTTPS://Shop.test:8443/a HTTP/1.1\r\nHost: shop.test", "", "shop.test", "/a"},
		"absolute, other Host": {"GET http://shop.test/a HTTP/1.1\r\nHost: other.test", "", "shop.test", "/a"},
		"absolute, no path":    {"GET http://shop.test HTTP/1.1\r\nHost: shop.test", "", "shop.test", "/"},
		"absolute, query":      {"GET http://shop.test?x=/y HTTP/1.1\r\nHost: shop.test", "", "shop.test", "/?x=/y"},
		"absolute, userinfo":   {"GET http://user@shop.test/a HTTP/1.1\r\nHost: shop.test", "target", "", ""},
		"another scheme":       {"GET ftp://shop.test/a HTTP/1.1\r\nHost: shop.test", "target", "", ""},
		"double slash":         {"GET //evil.test/a HTTP/1.1\r\nHost: shop.test", "", "shop.test", "//evil.test/a"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(test.head + "\r\n\r\n")))
			if err != nil {
				if test.reason == "" {
					t.Fatal(err)
				}
				return // refused even earlier
			}
			f, ok := Check(r)
			if ok != (test.reason == "") || f.Reason != test.reason {
				t.Fatalf("%+v %v", f, ok)
			}
			if !ok {
				if f.Status != 400 && f.Status != 405 || f.Detail == "" {
					t.Errorf("%+v", f)
				}
				return
			}
			if got := Host(r); got != test.host {
				t.Errorf("host %q", got)
			}
			if got := Target(r); got != test.target {
				t.Errorf("target %q", got)
			}
		})
	}
}

func TestCheckOfHTTP2(t *testing.T) {
	// net/http gives authority and path of HTTP/2 in the same places.
	r := &http.Request{Method: "GET", ProtoMajor: 2, Host: "shop.test", RequestURI: "/x", URL: &url.URL{Path: "/x"}, Header: http.Header{}}
	if f, ok := Check(r); !ok {
		t.Errorf("%+v", f)
	}
	r.Host = "user@shop.test"
	if _, ok := Check(r); ok {
		t.Error("userinfo passes")
	}
}

// What the standard library lets pass of a request by HTTP/2, and HTTP/1 has no
// words for, or others.
func TestCheckOfDowngrades(t *testing.T) {
	for name, test := range map[string]struct {
		method string
		length int64
		header http.Header
		reason string
	}{
		"good":                     {"POST", 5, http.Header{"Content-Length": {"5"}, "Content-Lengths": {"5"}}, ""},
		"no length":                {"POST", -1, http.Header{}, ""},
		"a method of one's own":    {"M-SEARCH", 0, nil, ""},
		"a request line as method": {"GET / HTTP/1.1", 0, nil, "method"},
		"a tab in a method":        {"G\tET", 0, nil, "method"},
		"no method":                {"", 0, nil, "method"},
		"an underscore":            {"POST", -1, http.Header{"Content_length": {"5"}}, "bad-request"},
		"two dashes":               {"POST", -1, http.Header{"Transfer--Encoding": {"chunked"}}, "bad-request"},
		"a signed length":          {"POST", 0, http.Header{"Content-Length": {"+5"}}, "bad-request"},
		"a blank length":           {"POST", 0, http.Header{"Content-Length": {""}}, "bad-request"},
		"two lengths":              {"POST", 5, http.Header{"Content-Length": {"5", "5"}}, "bad-request"},
		"another length":           {"POST", 5, http.Header{"Content-Length": {"6"}}, "bad-request"},
		"too large a length":       {"POST", 0, http.Header{"Content-Length": {"99999999999999999999"}}, "bad-request"},
	} {
		r := &http.Request{Method: test.method, ProtoMajor: 2, Host: "shop.test", RequestURI: "/x", URL: &url.URL{Path: "/x"}, Header: test.header, ContentLength: test.length}
		if f, ok := Check(r); f.Reason != test.reason || ok != (test.reason == "") {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"shop.test", "Shop.TEST.:80", "[::1]:80", "a@b", "a:b:c", "[", "]:", ":", ".", "a..b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !validHost(s) {
			return
		}
		host := Host(&http.Request{Host: s})
		if host == "" || strings.ContainsAny(host, "@/\\ \t\r\n%,?#\"<>") || strings.HasSuffix(host, ".") || host != strings.ToLower(host) {
			t.Errorf("%q is %q", s, host)
		}
		if !validHost(host) {
			t.Errorf("%q is valid, but not its host %q", s, host)
		}
		u, err := url.Parse("http://" + s + "/")
		if err != nil || !strings.EqualFold(strings.TrimSuffix(u.Hostname(), "."), strings.Trim(host, "[]")) {
			t.Errorf("%q: the standard library reads %v (%v), this one %q", s, u, err, host)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	r := request(b, connFor(policyFor(), "198.51.100.7:1"), ordinary)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Check(r); !ok || Host(r) == "" || Target(r) == "" {
			b.Fatal()
		}
	}
}

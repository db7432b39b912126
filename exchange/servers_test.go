package exchange_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"gatehouse/exchange"
)

// tricky are paths that servers are known to read in different ways, or that
// hold what must not get lost.
var tricky = []string{
	"/", "/a", "/a/", "/a/b", "/A/a", "//", "//a", "/a//b", "/a//", "///", "/./a", "/a/.", "/a/./b", "/..", "/a/..", "/a/../b", "/../a", "/a/...", "/a/.b", "/a/b.", "/..a", "/a..",
	"/%2e/a", "/a/%2e", "/%2e%2e/a", "/a/%2E%2e/b", "/a/.%2e/b", "/a/%2e./b", "/a/..%2fb", "/a%2f..%2fb", "/a%2Fb", "/a/%2f", "/%2f%2fa",
	"/a;b", "/a;b=c/d", "/a/;/b", "/a/..;/b", "/a/..;x=y/b", "/a/.;/b", "/a/%2e%2e;/b", "/a%3bb", "/a/..%3b/b", "/;/a", "/a/;..",
	`/a\b`, `/a\..\b`, "/a%5cb", "/a%5c..%5cb", `/\a`, `/..\a`,
	"/a%25b", "/a%252fb", "/a/%252e%252e/b", "/%252e%252e%252fa", "/a%25%32%66b", "/a%2525", "/%25",
	"/a%00b", "/a%00", "/a%0ab", "/a%0d%0ab", "/a%09b", "/a%7fb", "/a%1b", "/a\tb", "/a\x7fb", "/a b", "/a%20b", "/%20", "/a%20/b", "/a+b", "/a%2bb",
	"/caf%C3%A9", "/caf%c3%a9", "/café", "/caf%E9", "/%C0%AF", "/a%c0%ae%c0%ae/b", "/%E0%80%AF", "/%ED%A0%80", "/%F0%9F%98%80", "/%EF%BC%8F", "/%e2%80%ae", "/e%CC%81", "/%EF%BB%BFa", "/%c2%85",
	"/a%3Fb", "/a%23b", "/a%3f/b", "/a#b", "/a%", "/a%2", "/a%zz", "/a%u002f", "/%%32%65",
	"/a:b", "/a@b", "/http:/a", "/http://a/b", "/a=b&c", "/a,b", "/a!$'()*b", "/~a", "/%7ea", "/-._~", `/"<>`, "/%22%3c%3e", "/[a]", "/a|b", "/{a}", "/%7ba%7d", "/a^b`", "/a%5Bb%5D",
	"*", "http://a/b", "a/b", "", "?a", "/?a", "/a?b/../c", "/a?b#c", "/a%3f?b",
	"/a/" + strings.Repeat("b/", 100), strings.Repeat("/a", 129), "/" + strings.Repeat("%41", 500),
}

// The path rule against real servers: a tricky path is refused, or what is
// sent upstream is read there, by whichever way of reading paths, as the very
// segments that were matched.
func TestPathAgainstServers(t *testing.T) {
	for name, server := range map[string]func(*testing.T) string{"go": goServer, "java": javaServer} {
		t.Run(name, func(t *testing.T) {
			addr := server(t)
			refused := 0
			for _, target := range tricky {
				if !sameSegments(t, addr, target) {
					refused++
				}
			}
			if refused < len(tricky)/3 || refused > len(tricky)*2/3 {
				t.Errorf("%d of %d paths were refused", refused, len(tricky))
			}
		})
	}
}

// sameSegments holds one path against a server, and reports whether it was let
// through to it at all.
func sameSegments(t *testing.T, addr, target string) bool {
	var p exchange.Path
	if err := p.Parse(target); err != nil || p.Oddities != 0 {
		return false
	}
	line := p.Canonical()
	if p.Query != "" {
		line += "?" + p.Query
	}
	for reading, segments := range readings(t, addr, line) {
		if !slices.Equal(segments, p.Segments) {
			t.Errorf("%s: sent as %s, matched as %q, but read, %s, as %q", target, line, p.Segments, reading, segments)
		}
	}
	return true
}

// The rule is not stricter than it must be: of each oddity there is a path that
// these servers do read in more than one way.
func TestOdditiesAreOdd(t *testing.T) {
	servers := []string{goServer(t), javaServer(t)}
	for name, target := range map[string]string{
		"empty-segment": "/a//b", "dot-segment": "/a/../b", "encoded-slash": "/a%2fb", "semicolon": "/a;b/c", "encoded-percent": "/a%252fb",
	} {
		var p exchange.Path
		if err := p.Parse(target); err != nil || p.Oddities.String() != name {
			t.Errorf("%s: %v, oddities %s", target, err, p.Oddities)
		}
		ways := map[string]bool{}
		for _, addr := range servers {
			for _, segments := range readings(t, addr, target) {
				ways[strings.Join(segments, "|")] = true
			}
		}
		if len(ways) < 2 {
			t.Errorf("%s is read in one way: %v", target, ways)
		}
	}
}

// readings sends a request line's target as it is and returns the segments that
// the server reads, by way of reading. A mux that redirects to a cleaner path
// has read another one than it got.
func readings(t *testing.T, addr, target string) map[string][]string {
	t.Helper()
	_, in := talk(t, addr, "GET "+target+" HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if to := res.Header.Get("Location"); to != "" {
		return map[string][]string{"redirected": split(to)}
	}
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%s: %d %s, %v", target, res.StatusCode, body, err)
		return nil
	}
	out := map[string][]string{}
	for line := range strings.Lines(string(body)) {
		fields := strings.Fields(line)
		var segments []string
		for _, f := range fields[1:] {
			s, err := hex.DecodeString(f[1:])
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			segments = append(segments, string(s))
		}
		out[fields[0]] = segments
	}
	return out
}

// goServer answers as testdata/PathServer.java does, with the readings of Go
// programs.
func goServer(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/{rest...}", func(w http.ResponseWriter, r *http.Request) {
		show := func(reading string, segments []string) {
			fmt.Fprint(w, reading)
			for _, s := range segments {
				fmt.Fprintf(w, " x%x", s)
			}
			fmt.Fprintln(w)
		}
		var raw []string
		for _, s := range split(r.URL.EscapedPath()) {
			plain, _ := url.PathUnescape(s)
			raw = append(raw, plain)
		}
		twice, _ := url.PathUnescape(r.URL.Path)
		show("decoded", split(r.URL.Path))
		show("clean", split(path.Clean(r.URL.Path)))
		show("raw", raw)
		show("mux", split("/"+r.PathValue("rest")))
		show("twice", split(twice))
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func split(p string) []string {
	p = strings.TrimSuffix(strings.TrimPrefix(p, "/"), "/")
	if p == "" {
		return nil
	}
	return strings.Split(p, "/")
}

// javaServer runs testdata/PathServer.java; the test is skipped where there is
// no JDK.
func javaServer(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a Java server takes seconds to start")
	}
	if _, err := exec.LookPath("javac"); err != nil {
		t.Skip("there is no JDK")
	}
	cmd := exec.Command("java", "testdata/PathServer.java")
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the Java server does not start: %v", err)
	}
	return "127.0.0.1:" + strings.TrimSpace(port)
}

package test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const processConfig = `
listen: [{address: "127.0.0.1:8443", tls: {certificates: internal}}]
log: {access: ./access.log}
apis: {a: {authorize: none, routes: [{match: GET /%s, target: mock}, {match: "GET /behave/{proxy+}", target: "http://127.0.0.1:3000"}]}}
`

// ask asks a program that runs alone.
func ask(path string) answer {
	transport := &http.Transport{ForceAttemptHTTP2: true, DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Get("https://localhost:8443" + path)
	return read(resp, err)
}

// answers waits until a path is answered with a status.
func answers(t *testing.T, path string, status int) {
	t.Helper()
	eventually(t, func() error {
		if a := ask(path); a.status != status {
			return fmt.Errorf("%s: %d %v, want %d", path, a.status, a.err, status)
		}
		return nil
	})
}

// TestSignals: SIGHUP reloads, SIGUSR1 opens the log anew, SIGTERM lets a
// request finish and ends with 0.
func TestSignals(t *testing.T) {
	if !alone(t) {
		return
	}
	dir := checkout(t)
	newBackendAt(t, "service", "127.0.0.1:3000")
	config := filepath.Join(dir, "gatehouse.yaml")
	write(t, config, fmt.Appendf(nil, processConfig, "one"))
	old := time.Now().Add(-time.Minute) // what is new is looked at more closely
	if err := os.Chtimes(config, old, old); err != nil {
		t.Fatal(err)
	}
	gateway := launch(t, dir, "bin/gatehouse", "run")
	answers(t, "/one", 200)

	unnoticed(t, config, fmt.Appendf(nil, processConfig, "two"))
	gateway.signal(syscall.SIGHUP)
	answers(t, "/two", 200)

	log := filepath.Join(dir, "access.log")
	holds(t, log, `"path":"/two"`) // nothing waits to be written any more
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	gateway.signal(syscall.SIGUSR1)
	eventually(t, func() error {
		_, err := os.Stat(log)
		return err
	})
	answers(t, "/two", 200)
	holds(t, log, `"path":"/two"`)

	slow := make(chan answer)
	go func() { slow <- ask("/behave/slow/700ms") }()
	eventually(t, func() error {
		if a := plainGet("http://127.0.0.1:9901/metrics"); !strings.Contains(a.body, "gatehouse_requests_in_flight 1") {
			return fmt.Errorf("no request is in flight: %d %v", a.status, a.err)
		}
		return nil
	})
	gateway.signal(syscall.SIGTERM)
	if a := <-slow; a.status != 200 {
		t.Errorf("a request that was under way: %d %v", a.status, a.err)
	}
	if code := gateway.ends(); code != 0 {
		t.Errorf("exit code %d\n%s", code, gateway.said)
	}
	if _, err := os.Stat(filepath.Join(dir, "data/control.sock")); err == nil {
		t.Error("the control socket is still there")
	}
}

// holds waits until a file holds a text.
func holds(t *testing.T, path, text string) {
	t.Helper()
	eventually(t, func() error {
		if data, _ := os.ReadFile(path); !strings.Contains(string(data), text) {
			return fmt.Errorf("%s holds %s, want %s", path, data, text)
		}
		return nil
	})
}

// unnoticed writes a file so that the watch over the configuration's files sees
// no change: with as many bytes, and the time that it had.
func unnoticed(t *testing.T, path string, data []byte) {
	t.Helper()
	before, err := os.Stat(path)
	if err != nil || before.Size() != int64(len(data)) {
		t.Fatalf("%s: %v, or another size", path, err)
	}
	write(t, path, data)
	if err := os.Chtimes(path, before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
}

func plainGet(url string) answer {
	resp, err := (&http.Client{Timeout: patience}).Get(url)
	return read(resp, err)
}

// TestExitCodes: 0 for success, 1 where a command found something wrong, 2
// where it was called wrongly.
func TestExitCodes(t *testing.T) {
	if !alone(t) {
		return
	}
	dir := checkout(t)
	write(t, filepath.Join(dir, "good.yaml"), fmt.Appendf(nil, processConfig, "x"))
	write(t, filepath.Join(dir, "bad.yaml"), []byte("apis: {a: {rotes: []}}"))
	for line, want := range map[string]int{
		"version":                   0,
		"check -c good.yaml":        0,
		"routes -c good.yaml":       0,
		"schema":                    0,
		"ca -c good.yaml":           0,
		"help explain":              0,
		"check -c bad.yaml":         1,
		"check -c bad.yaml -o json": 1,
		"check -c missing.yaml":     1,
		"run -c bad.yaml":           1,
		"reload -c good.yaml":       1,
		"plan -c good.yaml":         1,
		"explain -c good.yaml x":    1,
		"token -c good.yaml":        1,
		"nonsense":                  2,
		"check extra":               2,
		"check --nonsense":          2,
		"check -c good.yaml -o xml": 2,
		"run --to http://localhost:3000 -c x.yaml": 2,
		"run --to ftp://localhost:3000":            2,
	} {
		p := launch(t, dir, append([]string{"bin/gatehouse"}, strings.Fields(line)...)...)
		if code := p.ends(); code != want {
			t.Errorf("gatehouse %s: exit code %d, want %d\n%s", line, code, want, p.said)
		}
	}
}

// TestStartAndRest holds what is promised of the example: the first answer in
// 300 ms, keys and certificates made, and 60 MB at rest. Of a few starts the
// quickest counts: the others tell of the machine.
func TestStartAndRest(t *testing.T) {
	if !alone(t) {
		return
	}
	const starts, most, memory = 5, 300 * time.Millisecond, 60_000_000
	best := time.Hour
	for range starts {
		dir := checkout(t)
		began := time.Now()
		gateway := launch(t, dir, "bin/gatehouse", "run", "-c", "examples/shop/gatehouse.yaml")
		for ask("/orders").status != http.StatusUnauthorized {
			if time.Since(began) > patience {
				t.Fatalf("no answer:\n%s", gateway.said)
			}
		}
		best = min(best, time.Since(began))
		time.Sleep(time.Second) // at rest
		if rss := resident(t, gateway.cmd.Process.Pid); rss > memory {
			t.Errorf("%d bytes at rest", rss)
		} else {
			t.Logf("%.1f MB at rest", float64(rss)/1e6)
		}
		gateway.signal(syscall.SIGTERM)
		gateway.ends()
	}
	t.Logf("the first answer came after %v", best)
	if best > most {
		t.Errorf("the first answer came after %v", best)
	}
}

// resident returns the memory of a process that is not on disk, in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	var all, pages int
	_, _ = fmt.Sscan(string(data), &all, &pages)
	return pages * os.Getpagesize()
}

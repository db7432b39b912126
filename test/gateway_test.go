package test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse"
)

// running is a whole gateway, in this process and on free ports.
type running struct {
	*gatehouse.Gateway
	t     *testing.T
	dir   string // of the configuration; its data is below it
	roots *x509.CertPool
	log   *lockedBuffer
	stop  func()
}

// start boots a gateway from a configuration in a folder of its own. What the
// text leaves out is filled in: data, an access log, no admin listener, and one
// HTTPS listener on a free port of 127.0.0.1.
func start(t *testing.T, text string, files map[string][]byte) *running {
	t.Helper()
	r := &running{t: t, dir: t.TempDir(), log: &lockedBuffer{}}
	for name, data := range files {
		r.write(name, data)
	}
	r.configure(text)
	if err := r.boot(); err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() { r.stop() })
	r.roots = x509.NewCertPool()
	pem, err := os.ReadFile(filepath.Join(r.dir, "data", "ca", "root.pem"))
	if err != nil || !r.roots.AppendCertsFromPEM(pem) {
		t.Fatalf("the internal CA's root: %v", err)
	}
	return r
}

// boot runs a gateway from the folder.
func (r *running) boot() error {
	cfg, err := r.load()
	if err != nil {
		return fmt.Errorf("the configuration:\n%w", err)
	}
	logger := slog.New(slog.NewTextHandler(r.log, nil))
	r.Gateway, err = gatehouse.New(cfg, gatehouse.Options{Logger: logger, Stdout: io.Discard, Version: "test", Load: r.load})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	running := r.Gateway
	go func() { ended <- running.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Errorf("the gateway ended with %v", err)
		}
	})
	return nil
}

func (r *running) load() (*gatehouse.Config, error) {
	return gatehouse.Load(filepath.Join(r.dir, "gatehouse.yaml"))
}

// configure writes the configuration file, for the next start or reload.
func (r *running) configure(text string) {
	for key, line := range map[string]string{
		"listen:":    "listen: [{address: \"127.0.0.1:0\", tls: {certificates: internal}}]\n",
		"data:":      "data: ./data\n",
		"\nadmin:":   "admin: {address: off}\n",
		"\nlog:":     "log: {access: ./access.log}\n",
		"\nlimits: ": "limits: {shutdown: 5s}\n",
	} {
		if !strings.Contains("\n"+text, key) {
			text = line + text
		}
	}
	r.write("gatehouse.yaml", []byte(text))
}

func (r *running) write(name string, data []byte) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		r.t.Fatal(err)
	}
	mode := os.FileMode(0o600)
	if bytes.HasPrefix(data, []byte("#!")) {
		mode = 0o700 // a program
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		r.t.Fatal(err)
	}
}

// address returns where the listener with this address, as written, is bound.
func (r *running) address(key string) string {
	r.t.Helper()
	addr := r.Addr(key)
	if addr == nil {
		r.t.Fatalf("no listener %s", key)
	}
	return addr.(*net.TCPAddr).String()
}

// secure is where the HTTPS listener that start fills in is bound.
func (r *running) secure() string { return r.address("127.0.0.1:0") }

// logLine waits for the access log's line of a request.
func (r *running) logLine(id string) string {
	r.t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		data, _ := os.ReadFile(filepath.Join(r.dir, "access.log"))
		for line := range bytes.Lines(data) {
			if bytes.Contains(line, []byte(id)) {
				return string(line)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.t.Fatalf("no line of the access log for %s", id)
	return ""
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// restart boots the gateway again, from the folder as it is, once it was stopped.
func (r *running) restart() {
	r.t.Helper()
	r.stop()
	if err := r.boot(); err != nil {
		r.t.Fatal(err)
	}
}

// fails returns why the gateway does not start.
func (r *running) fails() error {
	r.t.Helper()
	r.stop()
	err := r.boot()
	if err == nil {
		r.t.Error("it starts")
		r.stop()
	}
	return err
}

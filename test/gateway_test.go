package test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse"
	"gatehouse/admin"
	"gatehouse/observe/recent"
)

// running is a whole gateway, in this process and on free ports.
type running struct {
	*gatehouse.Gateway
	t     testing.TB
	dir   string // of the configuration; its data is below it
	roots *x509.CertPool
	log   *lockedBuffer
	stop  func()
	fixed string // where the HTTPS listener is, of a gateway in another process
}

// start boots a gateway from a configuration in a folder of its own. What the
// text leaves out is filled in: data, an access log, no admin listener, and one
// HTTPS listener on a free port of 127.0.0.1.
func start(t testing.TB, text string, files map[string][]byte) *running {
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
	write(r.t, filepath.Join(r.dir, name), data)
}

func (r *running) read(name string) []byte {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return data
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
func (r *running) secure() string {
	if r.fixed != "" {
		return r.fixed
	}
	return r.address("127.0.0.1:0")
}

// logLength returns how long the access log is now.
func (r *running) logLength() int {
	info, err := os.Stat(filepath.Join(r.dir, "access.log"))
	if err != nil {
		return 0
	}
	return int(info.Size())
}

// logLine waits for the access log's line of a request.
func (r *running) logLine(id string) string {
	r.t.Helper()
	return r.logLineBehind(0, id)
}

// logLineBehind waits for a line of the access log that holds a text and stands
// behind the log's first bytes.
func (r *running) logLineBehind(bytesBefore int, text string) string {
	r.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		data, _ := os.ReadFile(filepath.Join(r.dir, "access.log"))
		for line := range bytes.Lines(data[min(bytesBefore, len(data)):]) {
			if bytes.Contains(line, []byte(text)) && bytes.HasSuffix(line, []byte("\n")) {
				return string(line)
			}
		}
	}
	r.t.Fatalf("no line of the access log holds %q", text)
	return ""
}

// control is a client of the gateway's control socket.
func (r *running) control() *admin.Client { return admin.Dial(filepath.Join(r.dir, "data")) }

// explain returns what is remembered of a request, for people.
func (r *running) explain(id string) string {
	r.t.Helper()
	var entry recent.Entry
	if err := r.control().Explain(r.t.Context(), id, &entry); err != nil {
		r.t.Fatalf("explain %s: %v", id, err)
	}
	var b strings.Builder
	_ = entry.WriteText(&b, false)
	return b.String()
}

// metrics returns the gateway's own metrics, in Prometheus' format.
func (r *running) metrics() string {
	r.t.Helper()
	socket := filepath.Join(r.dir, "data", admin.SocketName)
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}
	resp, err := (&http.Client{Transport: transport}).Get("http://gatehouse/metrics")
	a := read(resp, err)
	if a.status != http.StatusOK {
		r.t.Fatalf("the metrics: %d %v", a.status, a.err)
	}
	var own strings.Builder
	for line := range strings.Lines(a.body) {
		if strings.HasPrefix(line, "gatehouse_") {
			own.WriteString(line)
		}
	}
	return own.String()
}

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

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

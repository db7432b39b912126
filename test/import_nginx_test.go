package test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/importer/nginx"
)

// nginxConfig is what both serve: nginx itself, and the gateway by what the import
// makes of it.
const nginxConfig = `
worker_processes 1;
pid DIR/nginx.pid;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path DIR/body;
    proxy_temp_path DIR/proxy;
    fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi;
    scgi_temp_path DIR/scgi;
    client_max_body_size 1k;
    upstream app { server BACKEND; }
    upstream pair { least_conn; server BACKEND weight=2; server BACKEND down; }
    server {
        listen 127.0.0.1:PORT;
        server_name one.test *.wild.test;
        proxy_set_header X-Level server;
        rewrite ^/gone$ https://example.com/here redirect;
        location / { proxy_pass http://app; }
        location /plain/ { proxy_pass http://BACKEND; proxy_set_header Host $http_host; }
        location /api/ { proxy_pass http://app/v1/; }
        location /apix { proxy_pass http://app/v2; }
        location /root/ { proxy_pass http://app/; }
        location /root/deeper/ { proxy_pass http://app/deep/er/; proxy_set_header X-Level location; proxy_set_header X-Fixed "a b"; proxy_set_header X-Gone ""; }
        location = /exact { proxy_pass http://app/there; }
        location = /exact/same { proxy_pass http://app; }
        location /strip/ { rewrite ^/strip/(.*)$ /$1 break; proxy_pass http://app; }
        location /move/ { rewrite ^/move/(.*)$ /moved/to/$1 break; proxy_pass http://app; }
        location /tail { rewrite ^/tail(/.*)$ $1 break; proxy_pass http://app; }
        location ^~ /first/ { proxy_pass http://pair; }
        location "/with space/" { proxy_pass http://app; }
        location /uri/ { proxy_pass http://app$request_uri; }
        location /no/ { return 403; }
        location /none/ { deny all; proxy_pass http://app; }
        location /away/ { return 302 https://example.com$request_uri; }
        location /to/ { return 302 https://example.com/fixed; }
        location /nested/ {
            proxy_set_header X-Level nested;
            proxy_pass http://app;
            location /nested/inner/ { proxy_pass http://app/in/; }
        }
        location /small/ { client_max_body_size 10; proxy_pass http://app; }
        location /named/ { proxy_set_header Host other.test; proxy_pass http://app; }
        location /twice { proxy_pass http://app; }
        location /twice/ { proxy_pass http://app/two/; }
        location /read/ { limit_except GET { deny all; } proxy_pass http://app; }
    }
    server {
        listen 127.0.0.1:PORT default_server;
        server_name _;
        location / { proxy_pass http://app/other/; }
    }
}
`

// questions are what is asked of both.
var questions = []struct{ method, host, target, body string }{
	{"GET", "one.test", "/", ""},
	{"GET", "one.test", "/x?a=1&b=%20c", ""},
	{"GET", "one.test", "/x/y/z/", ""},
	{"GET", "one.test", "/caf%C3%A9/%7Bid%7D", ""},
	{"POST", "one.test", "/form", "a=b"},
	{"DELETE", "one.test", "/form", ""},
	{"GET", "a.wild.test", "/x", ""},
	{"GET", "a.b.wild.test", "/api/x", ""},
	{"GET", "unknown.test", "/x", ""},
	{"GET", "unknown.test", "/api/x?q", ""},
	{"GET", "one.test", "/plain/x", ""},
	{"GET", "one.test", "/api/", ""},
	{"GET", "one.test", "/api/orders/1?x=/y", ""},
	{"GET", "one.test", "/api/a%20b", ""},
	{"GET", "one.test", "/apix", ""},
	{"GET", "one.test", "/apix/y", ""},
	{"GET", "one.test", "/root/", ""},
	{"GET", "one.test", "/root/x/", ""},
	{"GET", "one.test", "/root/deeper/", ""},
	{"GET", "one.test", "/root/deeper/x", ""},
	{"GET", "one.test", "/exact", ""},
	{"GET", "one.test", "/exact?x=1", ""},
	{"GET", "one.test", "/exact/same", ""},
	{"GET", "one.test", "/exact/other", ""},
	{"GET", "one.test", "/strip/a/b?c", ""},
	{"GET", "one.test", "/strip/", ""},
	{"GET", "one.test", "/move/a", ""},
	{"GET", "one.test", "/tail/a/b", ""},
	{"GET", "one.test", "/first/x", ""},
	{"GET", "one.test", "/with%20space/x", ""},
	{"GET", "one.test", "/uri/a?b", ""},
	{"GET", "one.test", "/no/x", ""},
	{"GET", "one.test", "/none/x", ""},
	{"GET", "one.test", "/away/x?y=z", ""},
	{"GET", "one.test", "/to/x", ""},
	{"GET", "one.test", "/gone", ""},
	{"GET", "one.test", "/nested/x", ""},
	{"GET", "one.test", "/nested/inner/x", ""},
	{"POST", "one.test", "/small/x", "12345"},
	{"POST", "one.test", "/small/x", "12345678901"},
	{"POST", "one.test", "/x", strings.Repeat("x", 1025)},
	{"GET", "one.test", "/named/x", ""},
	{"GET", "one.test", "/twice", ""},
	{"GET", "one.test", "/twice/x", ""},
	{"GET", "one.test", "/read/x", ""},
}

// TestImportedLikeNginx: a service gets from the gateway what it gets from nginx:
// the same request line, Host and headers; and clients the same statuses and
// places to go to.
func TestImportedLikeNginx(t *testing.T) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			t.Skip("nginx is missing: run scripts/setup test")
		}
	}
	backend := newBackend(t, "a").Listener.Addr().String()
	dir, port, gatewayPort := t.TempDir(), freePort(t), freePort(t)
	text := strings.NewReplacer("DIR", dir, "BACKEND", backend, "PORT", port).Replace(nginxConfig)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	startNginx(t, program, dir, file, port)

	r, err := nginx.Convert(file, nginx.Disk())
	if err != nil {
		t.Fatal(err)
	}
	start(t, strings.ReplaceAll(string(r.Text), "127.0.0.1:"+port, "127.0.0.1:"+gatewayPort), nil)
	for _, m := range questions {
		from := reached(t, "127.0.0.1:"+port, m.method, m.host, m.target, m.body)
		to := reached(t, "127.0.0.1:"+gatewayPort, m.method, m.host, m.target, m.body)
		if from != to {
			t.Errorf("%s http://%s%s\nnginx     %s\ngatehouse %s", m.method, m.host, m.target, from, to)
		}
	}
	if t.Failed() {
		t.Logf("by\n%s", r.Text)
	}
}

// reached returns what a service saw of a request, and what the client got.
func reached(t *testing.T, address, method, host, target, body string) string {
	t.Helper()
	text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nX-Gone: 1\r\nX-Kept: 2\r\nConnection: close\r\n", method, target, host)
	if body != "" {
		text += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	a := raw(t, address, text+"\r\n"+body)
	if a.err != nil {
		return a.err.Error()
	}
	out := fmt.Sprintf("%d %s", a.status, a.header.Get("Location"))
	var saw seen
	if json.Unmarshal([]byte(a.body), &saw) == nil && saw.Method != "" {
		out += fmt.Sprintf(" %s %s %s", saw.Method, saw.URI, saw.Host)
		for _, name := range []string{"X-Level", "X-Fixed", "X-Gone", "X-Kept"} {
			out += fmt.Sprintf(" %s=%s", name, saw.Header[name])
		}
		out += " " + saw.Body
	}
	return out
}

func startNginx(t *testing.T, program, dir, file, port string) {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, "error.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", file, "-g", "daemon off; master_process off;")
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Fatalf("nginx does not start: %v\n%s", err, said)
		}
	}
}

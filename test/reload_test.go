package test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse"
	"gatehouse/admin"
)

// The first configuration, and one that names of everything something else.
const (
	reloadBefore = `
listen: [{address: "127.0.0.1:0", tls: {certificates: internal}}]
admin: {address: "127.0.0.1:ADMIN"}
log: {access: ./access.log}
limits: {shutdown: 5s}
apis: {a: {domains: [localhost], authorize: none, routes: [{match: "ANY /{proxy*}", target: service:a, headers: {request: {set: {x-conf: before}}}}]}}
services: {a: {targets: ["BACKEND"]}}
`
	reloadAfter = `
listen: [{address: "127.0.0.1:0", tls: {certificates: internal}, limits: {idle-timeout: 7s}}, {address: "127.0.0.1:00"}]
admin: {address: "127.0.0.1:0"}
log: {access: ./other.log}
limits: {shutdown: 5s, buffers: 9MiB}
apis:
  a: {domains: [localhost], authorize: none, throttle: {rate: 1/s, per: ip}, routes: [{match: "ANY /{proxy*}", target: service:b, headers: {request: {set: {x-conf: after}}}}]}
  b: {domains: [b.test], authorize: c, authorizers: {c: {jwt: {issuer: i, audience: a, jwks: "http://127.0.0.1:1/jwks"}}}, routes: [{match: GET /b, target: service:b}]}
services: {b: {targets: ["BACKEND", "127.0.0.1:1"], health: {path: /healthz, interval: 100ms}}}
`
)

// outside is what can be seen of a gateway from outside, but for how often what
// has happened.
type outside struct {
	status any
	routes string
	series []string
}

var sample = regexp.MustCompile(`(?m)^(gatehouse_\S+|gatehouse_\S+\{.*\}) `)

func (r *running) outside(address string) outside {
	r.t.Helper()
	var o outside
	var routes any
	if err := admin.Dial(filepath.Join(r.dir, "data")).Routes(r.t.Context(), &routes); err != nil {
		r.t.Fatal(err)
	}
	o.routes = fmt.Sprint(routes)
	s := r.Status()
	slices.SortFunc(s.Listeners, func(a, b gatehouse.ListenerStatus) int { return strings.Compare(a.Address, b.Address) })
	o.status = s
	a := raw(r.t, address, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	for _, found := range sample.FindAllStringSubmatch(a.body, -1) {
		o.series = append(o.series, found[1])
	}
	if len(o.series) < 20 {
		r.t.Fatalf("metrics: %d %s", a.status, a.body)
	}
	return o
}

// connection is one keep-alive connection that must outlive every reload that
// fails.
type connection struct {
	*tls.Conn
	in *bufio.Reader
}

func (c *connection) get(t *testing.T) string {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || resp.Close {
		t.Fatalf("%d %v %v", resp.StatusCode, resp.Header, err)
	}
	return string(body)
}

// TestReloadFailsAtEachStep: whatever step of a reload fails, it says where and
// why, and everything stays as it was, down to the connections.
func TestReloadFailsAtEachStep(t *testing.T) {
	backend := newBackend(t, "a").Listener.Addr().String()
	taken := newBackend(t, "taken").Listener.Addr().String()
	port := freePort(t)
	fill := strings.NewReplacer("BACKEND", backend, "ADMIN", port).Replace
	before, after := fill(reloadBefore), fill(reloadAfter)
	cert, _ := testCertificate(t)
	_, otherKey := testCertificate(t)
	r := start(t, before, map[string][]byte{"cert.pem": cert, "key.pem": otherKey, "data/development-key.json": []byte("damaged")})
	conn, err := tls.Dial("tcp", r.secure(), &tls.Config{RootCAs: r.roots, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &connection{conn, bufio.NewReader(conn)}
	c.get(t)
	r.lines(1)
	was := r.outside("127.0.0.1:" + port)
	goroutines, descriptors := settled(1 << 20)
	descriptors++ // the first sample of metrics may come any moment, and opens their file

	for i, tc := range []struct{ step, old, new, says string }{
		{"decode", "apis:\n", "apis: [\n", "gatehouse.yaml:"},
		{"decode", "limits: {", "limts: {", `did you mean "limits"?`},
		{"read", "health:", "tls: {ca: missing.pem}, health:", "missing.pem"},
		{"read", "health:", "tls: {ca: key.pem}, health:", "key.pem: holds no certificate"},
		{"check", "service:b", "service:c", `unknown service "c"`},
		{"data", "log:", "data: ./elsewhere\nlog:", "only by a restart"},
		{"size", "limits: {shut", "limits: {principals: 2048, shut", "gatehouse.yaml:5:1: limits.principals goes from 1048576 to 2048 only by a restart"},
		{"compile the edge", "certificates: internal", "certificates: [{cert: cert.pem, key: key.pem}]", "gatehouse.yaml:2"},
		{"prepare the log", "./other.log", "./data", "open the access log"},
		{"prepare the log", "./other.log", "./cert.pem/x.log", "gatehouse.yaml:4"},
		{"prepare authorizers", `"http://127.0.0.1:1/jwks"`, "development", "development-key.json"},
		{"bind", "127.0.0.1:00", taken, "gatehouse.yaml:2:95: cannot listen on " + taken},
		{"bind admin", `admin: {address: "127.0.0.1:0"}`, `admin: {address: "` + taken + `"}`, "gatehouse.yaml:3:9: the admin listener cannot listen on " + taken},
	} {
		text := strings.Replace(after, tc.old, tc.new, 1)
		if text == after {
			t.Fatalf("%s: nothing was replaced", tc.step)
		}
		r.write("gatehouse.yaml", []byte(text))
		err := r.Reload(t.Context())
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: got %v, want it to say %q", tc.step, err, tc.says)
		}
		if body := c.get(t); !strings.Contains(body, `"X-Conf":["before"]`) {
			t.Errorf("%s: then the gateway answers %s", tc.step, body)
		}
		r.lines(i + 2)
		if is := r.outside("127.0.0.1:" + port); !reflect.DeepEqual(is, was) {
			t.Errorf("%s: it was\n%v\nand is\n%v", tc.step, was, is)
		}
		if g, d := settled(goroutines); g > goroutines || d > descriptors {
			t.Errorf("%s: goroutines %d -> %d, descriptors %d -> %d", tc.step, goroutines, g, descriptors, d)
		}
	}
	r.write("gatehouse.yaml", []byte(after))
	if err := r.Reload(t.Context()); err != nil {
		t.Errorf("what all of these were made of cannot be loaded either: %v", err)
	}
}

// TestReloadsLeaveNothing: a hundred reloads between two configurations that have
// no listener, log, service, authorizer or route in common leave nothing behind.
func TestReloadsLeaveNothing(t *testing.T) {
	backend := newBackend(t, "a").Listener.Addr().String()
	fill := strings.NewReplacer("BACKEND", backend, "ADMIN", freePort(t)).Replace
	before, after := fill(reloadBefore), strings.Replace(fill(reloadAfter), `{address: "127.0.0.1:0", tls`, `{address: "127.0.0.1:0000", tls`, 1)
	r := start(t, before, nil)
	least := runtime.NumGoroutine()
	flip := func(times int) holding {
		for i := range times {
			r.write("gatehouse.yaml", []byte([...]string{after, before}[i%2]))
			if err := r.Reload(t.Context()); err != nil {
				t.Fatalf("reload %d: %v", i, err)
			}
		}
		settled(least) // what is retired takes a moment to end
		return footprint(t)
	}
	once := flip(20)
	least = once.goroutines
	now := flip(100)
	t.Logf("goroutines %d -> %d, descriptors %d -> %d, heap %d -> %d KiB", once.goroutines, now.goroutines, once.descriptors, now.descriptors, once.heap>>10, now.heap>>10)
	if !now.within(once) {
		t.Errorf("%+v before, %+v now", once, now)
	}
}

// settled counts goroutines and descriptors, once there are no more than so many
// goroutines or some time has passed.
func settled(most int) (goroutines, descriptors int) {
	for deadline := time.Now().Add(3 * time.Second); runtime.NumGoroutine() > most && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	fds, _ := os.ReadDir("/proc/self/fd")
	return runtime.NumGoroutine(), len(fds)
}

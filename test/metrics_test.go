package test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse"
	"gatehouse/admin"
)

// overControl calls the control socket of a data folder.
func overControl(data, method, path, contentType, body string) (int, string, error) {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(data, admin.SocketName))
	}}
	r, err := http.NewRequest(method, "http://gatehouse"+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := (&http.Client{Transport: transport, Timeout: 30 * time.Second}).Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// promQL asks for one number; false where there is none.
func (r *running) promQL(query string) (float64, bool) {
	r.t.Helper()
	status, body, err := overControl(filepath.Join(r.dir, "data"), "POST", "/api/v1/query", "application/x-www-form-urlencoded", url.Values{"query": {query}}.Encode())
	if err != nil {
		return 0, false
	}
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 && status != 503 {
		r.t.Fatalf("%s: %d %s %v", query, status, body, err)
	}
	if len(answer.Data.Result) != 1 {
		return 0, false
	}
	v, err := strconv.ParseFloat(answer.Data.Result[0].Value[1].(string), 64)
	if err != nil {
		r.t.Fatal(err)
	}
	return v, true
}

// expectQL waits until a query's answer is as wanted.
func (r *running) expectQL(query string, wanted func(float64) bool) {
	r.t.Helper()
	eventually(r.t, func() error {
		if v, ok := r.promQL(query); !ok || !wanted(v) {
			return fmt.Errorf("%s is %v (%v)", query, v, ok)
		}
		return nil
	})
}

func exactly(want float64) func(float64) bool { return func(v float64) bool { return v == want } }

const keptRoutes = `metrics: {interval: 1s}
apis: {shop: {domains: [localhost], authorize: none, routes: [{match: GET /a, target: mock}, {match: GET /b, target: "http://127.0.0.1:9"}]}}
`

func requestTimes(t *testing.T, r *running, n int, target string) {
	t.Helper()
	for range n {
		if a := sendHTTP1(t, r, message{method: "GET", target: target, host: "localhost"}); a.status == 0 {
			t.Fatal(a.err)
		}
	}
}

// TestMetricsAreKept: what was measured is asked about in PromQL, over the admin
// listener too, and is there after a restart. Programs push theirs.
func TestMetricsAreKept(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	service := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/internal/metrics" {
			_, _ = io.WriteString(w, "# TYPE orders_total counter\norders_total{shop=\"a\"} 12\ngatehouse_requests_total 1e9\n")
		}
	}))
	defer service.Close()
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: service.Certificate().Raw})
	services := fmt.Sprintf(`services:
  orders: {targets: [%q], metrics: {path: /internal/metrics, interval: 1s}, tls: {server-name: example.com, ca: root.pem}}
  own: {targets: ["127.0.0.1:%s"], metrics: {interval: 1s}}
`, service.Listener.Addr(), port)
	r := start(t, services+keptRoutes+"admin: {address: \"127.0.0.1:"+port+"\"}\n", map[string][]byte{"root.pem": root})
	requestTimes(t, r, 5, "/a")
	requestTimes(t, r, 3, "/b")
	r.expectQL(`gatehouse_requests_total{route="GET /a",code="200"}`, exactly(5))
	r.expectQL(`gatehouse_requests_total{route="GET /b",code="502"}`, exactly(3))
	// The first sample of a series that appears is not its beginning.
	r.expectQL(`sum(increase(gatehouse_requests_total[1m] anchored))`, exactly(8))

	status, body, err := overControl(filepath.Join(r.dir, "data"), "POST", "/v1/metrics/push?job=backup", "", "# TYPE backup_bytes gauge\nbackup_bytes{host=\"a\"} 4096\n")
	if err != nil || status != 200 {
		t.Fatalf("push: %d %s %v", status, body, err)
	}
	r.expectQL(`backup_bytes{job="backup",host="a"}`, exactly(4096))
	r.expectQL(`orders_total{job="orders",shop="a"}`, exactly(12))
	r.expectQL(`up{job="orders"}`, exactly(1))
	r.expectQL(`up{job="own"}`, exactly(0)) // nothing reaches the gateway's own control
	r.expectQL(`count(gatehouse_requests_total > 1e6) or vector(0)`, exactly(0))
	overAdmin(t, port)

	r.stop()
	if err := r.boot(); err != nil {
		t.Fatal(err)
	}
	r.expectQL(`max_over_time(gatehouse_requests_total{route="GET /a"}[10m])`, exactly(5))
	requestTimes(t, r, 2, "/a")
	r.expectQL(`gatehouse_requests_total{route="GET /a",code="200"}`, exactly(2))
	r.expectQL(`backup_bytes`, exactly(4096))

	r.configure(strings.Replace(keptRoutes, "interval: 1s", "size: 0", 1))
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, body, err := overControl(filepath.Join(r.dir, "data"), "GET", "/api/v1/query?query=1", "", ""); err != nil || status != 200 && status != 503 {
		t.Errorf("with nothing kept: %d %s %v", status, body, err)
	}
	if status, body, _ := overControl(filepath.Join(r.dir, "data"), "GET", "/api/v1/labels", "", ""); status != 503 || !strings.Contains(body, "not open") {
		t.Errorf("with nothing kept: %d %s", status, body)
	}
}

// overAdmin asks as Grafana does, and promtool where it is installed.
func overAdmin(t *testing.T, port string) {
	t.Helper()
	base := "http://127.0.0.1:" + port
	form := url.Values{"query": {`sum by (route) (rate(gatehouse_requests_total[1m]))`}, "start": {strconv.FormatInt(time.Now().Unix()-60, 10)}, "end": {strconv.FormatInt(time.Now().Unix(), 10)}, "step": {"15"}}
	resp, err := http.PostForm(base+"/api/v1/query_range", form)
	if a := read(resp, err); a.status != 200 || !strings.Contains(a.body, `"route":"GET /a"`) {
		t.Errorf("%d %s %v", a.status, a.body, a.err)
	}
	for _, path := range []string{"/api/v1/status/buildinfo", "/api/v1/metadata?metric=gatehouse_requests_total", "/api/v1/label/__name__/values", "/api/v1/labels?match[]=gatehouse_requests_total"} {
		resp, err := http.Get(base + path)
		if a := read(resp, err); a.status != 200 || !strings.Contains(a.body, `"status":"success"`) {
			t.Errorf("%s: %d %s %v", path, a.status, a.body, a.err)
		}
	}
	resp, err = http.Post(base+"/v1/metrics/push?job=x", "text/plain", strings.NewReader("x 1\n"))
	if a := read(resp, err); a.status != 403 || !strings.Contains(a.body, "metrics.push.token") {
		t.Errorf("a push without a token: %d %s", a.status, a.body)
	}
	resp, err = http.Post(base+"/api/v1/query", "application/json", strings.NewReader("{}"))
	if a := read(resp, err); a.status != 405 {
		t.Errorf("a body that is no form: %d %s", a.status, a.body)
	}
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Log("promtool is not installed: it is not run")
		return
	}
	for _, args := range [][]string{
		{"query", "instant", base, `gatehouse_requests_total{route="GET /a"}`},
		{"query", "range", "--step=1s", base, `gatehouse_requests_total{route="GET /a"}`},
		{"query", "series", "--match=gatehouse_requests_total", base},
		{"query", "labels", base, "route"},
	} {
		var out bytes.Buffer
		cmd := exec.Command("promtool", args...)
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil || !strings.Contains(out.String(), "GET /a") {
			t.Errorf("promtool %v: %v\n%s", args, err, &out)
		}
	}
}

// TestMetricsMoveOver: a process that takes over goes on with what the one before has
// kept, and is the only one that writes.
func TestMetricsMoveOver(t *testing.T) {
	g := startFirst(t, keptRoutes)
	g.roots = x509.NewCertPool()
	if !g.roots.AppendCertsFromPEM(g.read(filepath.Join("data", "ca", "root.pem"))) {
		t.Fatal("the internal CA's root cannot be read")
	}
	requestTimes(t, g.running, 4, "/a")
	g.expectQL(`gatehouse_requests_total{route="GET /a",code="200"}`, exactly(4))
	g.takeOver()
	g.past()
	requestTimes(t, g.running, 3, "/a")
	g.expectQL(`gatehouse_requests_total{route="GET /a",code="200"}`, exactly(3))
	g.expectQL(`max_over_time(gatehouse_requests_total{route="GET /a",code="200"}[10m])`, exactly(4))
	g.expectQL(`increase(gatehouse_requests_total{route="GET /a",code="200"}[10m] anchored)`, exactly(7))
}

// TestMetricsSurviveAKill: a program that is killed has what it had sampled.
func TestMetricsSurviveAKill(t *testing.T) {
	p := newInstance(t, buildVersion(t, "v1"))
	p.configure(keptRoutes)
	for life := range 3 {
		cmd := p.run()
		p.awaitStatus("a gateway", func(s gatehouse.Status) bool { return s.PID == cmd.Process.Pid })
		if life > 0 {
			p.expectQL(`max_over_time(gatehouse_config_generation[10m])`, exactly(1))
			p.expectQL(`count_over_time(gatehouse_build_info[10m])`, func(v float64) bool { return v > float64(life) })
		}
		p.expectQL(`time() - gatehouse_start_time_seconds`, func(v float64) bool { return v < 60 })
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	if strings.Contains(p.said(), "panic") {
		t.Error(p.said())
	}
}

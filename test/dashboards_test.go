package test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// dashboard is what is read of a dashboard's file.
type dashboard struct {
	UID        string
	Title      string
	Templating struct {
		List []struct {
			Name, Type string
			Query      any
			Definition string
		}
	}
	Panels []struct {
		ID      int
		Title   string
		Targets []struct{ Expr, RefID string }
	}
}

// grafana fills in what Grafana does: every variable is All.
var grafana = strings.NewReplacer("$__rate_interval", "1m", "$__range", "1h", "$api", ".*", "$stage", ".*", "$service", ".*")

var labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)

// TestDashboards: every query of the dashboards finds something on a gateway that has
// served, refused and failed.
func TestDashboards(t *testing.T) {
	t.Parallel()
	cert, key := testCertificate(t)
	backend := newBackend(t, "a").Listener.Addr().String()
	r := start(t, fmt.Sprintf(`
listen:
  - {address: "127.0.0.1:0", tls: {certificates: internal}}
  - {address: "127.0.0.1:00", tls: {certificates: [{cert: c.pem, key: k.pem}]}}
metrics: {interval: 1s}
apis:
  shop:
    domains: [localhost]
    authorize: none
    routes:
      - {match: GET /ok, target: "service:good"}
      - {match: GET /bad, target: "service:bad"}
      - {match: GET /refused, target: mock, addresses: [192.0.2.0/24]}
services:
  good: {targets: [%q], health: {interval: 100ms}, outliers: {}}
  bad: {targets: ["127.0.0.1:9"]}
`, backend), map[string][]byte{"c.pem": cert, "k.pem": key})
	for _, path := range []string{"/ok", "/bad", "/refused"} {
		requestTimes(t, r, 3, path)
	}
	r.expectQL(`min(count_over_time(gatehouse_request_duration_seconds_count{route!="-"}[1m]))`, func(v float64) bool { return v >= 2 })
	files, err := filepath.Glob("../docs/grafana/*.json")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	uids := make(map[string]bool)
	for _, file := range files {
		d := readDashboard(t, file)
		if uids[d.UID] || d.UID+".json" != filepath.Base(file) {
			t.Errorf("%s: uid %s", file, d.UID)
		}
		uids[d.UID] = true
		ids := make(map[int]bool)
		for _, p := range d.Panels {
			if ids[p.ID] || len(p.Targets) == 0 {
				t.Errorf("%s: panel %d %s", file, p.ID, p.Title)
			}
			ids[p.ID] = true
			for _, q := range p.Targets {
				if n := r.rangeQL(grafana.Replace(q.Expr)); n == 0 {
					t.Errorf("%s, %s: nothing is found by %s", file, p.Title, q.Expr)
				}
			}
		}
		for _, v := range d.Templating.List {
			if v.Type != "query" {
				continue
			}
			m := labelValues.FindStringSubmatch(v.Definition)
			if m == nil {
				t.Errorf("%s: the variable %s is %s", file, v.Name, v.Definition)
			} else if n := r.rangeQL("count by (" + m[2] + ") (" + grafana.Replace(m[1]) + ")"); n == 0 {
				t.Errorf("%s: the variable %s has no values", file, v.Name)
			}
		}
	}
}

func readDashboard(t *testing.T, file string) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if strings.Contains(grafana.Replace(string(text)), "$__") && !strings.Contains(string(text), "$__all") {
		t.Errorf("%s: a variable of Grafana's that the test does not know", file)
	}
	return d
}

// rangeQL asks as a panel does, and returns how many series are found.
func (r *running) rangeQL(query string) int {
	r.t.Helper()
	now := time.Now().Unix()
	form := url.Values{"query": {query}, "start": {strconv.FormatInt(now-60, 10)}, "end": {strconv.FormatInt(now, 10)}, "step": {"1"}}
	status, body, err := overControl(filepath.Join(r.dir, "data"), "POST", "/api/v1/query_range", "application/x-www-form-urlencoded", form.Encode())
	var answer struct {
		Data struct{ Result []any }
	}
	if err == nil {
		err = json.Unmarshal([]byte(body), &answer)
	}
	if err != nil || status != 200 {
		r.t.Errorf("%s: %d %s %v", query, status, body, err)
	}
	return len(answer.Data.Result)
}

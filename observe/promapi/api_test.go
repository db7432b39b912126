package promapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"gatehouse/observe/store"
)

const began = 1_800_000_000_000 // ms

// filled is a store with an hour of a counter by code and of a gauge.
func filled(t testing.TB) *store.Store {
	t.Helper()
	s := store.New(store.Options{Dir: filepath.Join(t.TempDir(), "metrics")})
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for i := range int64(61) {
		b := s.Batch(store.Source{Name: "own"}, began+i*60_000)
		b.Add(labels.FromStrings("__name__", "requests_total", "code", "200", "api", "shop"), store.Counter, float64(60*i))
		b.Add(labels.FromStrings("__name__", "requests_total", "code", "500", "api", "shop"), store.Counter, float64(6*i))
		b.Add(labels.FromStrings("__name__", "in_flight"), store.Gauge, float64(i%5))
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := s.Maintain(context.Background(), time.UnixMilli(began+i*60_000)); err != nil {
			t.Fatal(err)
		}
	}
	s.Describe("requests_total", store.Family{Type: "counter", Help: "Requests."})
	s.Describe("in_flight", store.Family{Type: "gauge", Help: "Requests now."})
	return s
}

func limits() Limits {
	return Limits{Samples: 100_000, Series: 100, Timeout: 10 * time.Second, Concurrent: 2}
}

func newAPI(t testing.TB, l Limits) *API {
	return New(filled(t), "v1.2.3", l, slog.New(slog.DiscardHandler))
}

// call asks as Grafana and promtool do: by GET, or by a form.
func call(a http.Handler, method, path string, form url.Values) (int, string) {
	var r *http.Request
	if method == "POST" {
		r = httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		r = httptest.NewRequest(method, path+"?"+form.Encode(), nil)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	body, _ := io.ReadAll(w.Body)
	return w.Code, string(body)
}

func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

const (
	end  = "1800003600"
	half = "1800001800"
)

// What is answered, to the letter, by GET and by POST where Prometheus takes both.
func TestAnswers(t *testing.T) {
	a := newAPI(t, limits())
	for _, tc := range []struct {
		name, path string
		form       url.Values
		get        bool // alone
		status     int
		want       string
	}{
		{"vector", "/api/v1/query", form("query", `sum by (api)(rate(requests_total[10m]))`, "time", end), false, 200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"api":"shop"},"value":[1800003600,"1.1"]}]}}`},
		{"nothing", "/api/v1/query", form("query", `absent_metric`, "time", end), false, 200, `{"status":"success","data":{"resultType":"vector","result":[]}}`},
		{"scalar", "/api/v1/query", form("query", `1+1`, "time", end), false, 200, `{"status":"success","data":{"resultType":"scalar","result":[1800003600,"2"]}}`},
		{"text", "/api/v1/query", form("query", `"x"`, "time", "2027-01-15T09:00:00Z"), false, 200, `{"status":"success","data":{"resultType":"string","result":[1800003600,"x"]}}`},
		{"matrix", "/api/v1/query", form("query", `in_flight[2m]`, "time", end), false, 200,
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"in_flight"},"values":[[1800003540,"4"],[1800003600,"0"]]}]}}`},
		{"range", "/api/v1/query_range", form("query", `in_flight`, "start", half, "end", "1800001920.000", "step", "60"), false, 200,
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"in_flight"},"values":[[1800001800,"0"],[1800001860,"1"],[1800001920,"2"]]}]}}`},
		{"range without series", "/api/v1/query_range", form("query", `nothing`, "start", half, "end", end, "step", "1m"), false, 200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`},
		{"limit", "/api/v1/query", form("query", `requests_total`, "time", end, "limit", "1"), false, 200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"requests_total","api":"shop","code":"200"},"value":[1800003600,"3600"]}]},"warnings":["results truncated due to limit"]}`},
		{"labels", "/api/v1/labels", form("start", half, "end", end), false, 200, `{"status":"success","data":["__name__","api","code"]}`},
		{"labels of some", "/api/v1/labels", form("match[]", "in_flight", "end", end), false, 200, `{"status":"success","data":["__name__"]}`},
		{"values", "/api/v1/label/code/values", form("end", end), true, 200, `{"status":"success","data":["200","500"]}`},
		{"values of some", "/api/v1/label/code/values", form("match[]", `requests_total{code="500"}`, "end", end), true, 200, `{"status":"success","data":["500"]}`},
		{"values of a time without", "/api/v1/label/code/values", form("start", "1700000000", "end", "1700000001"), true, 200, `{"status":"success","data":[]}`},
		{"names", "/api/v1/label/__name__/values", form("end", end), true, 200, `{"status":"success","data":["in_flight","requests_total"]}`},
		{"series", "/api/v1/series", form("match[]", `requests_total`, "match[]", `{code="500"}`, "end", end), false, 200,
			`{"status":"success","data":[{"__name__":"requests_total","api":"shop","code":"200"},{"__name__":"requests_total","api":"shop","code":"500"}]}`},
		{"metadata", "/api/v1/metadata", form("metric", "requests_total"), true, 200, `{"status":"success","data":{"requests_total":[{"type":"counter","help":"Requests.","unit":""}]}}`},
		{"format", "/api/v1/format_query", form("query", `sum(x)by(y)`), false, 200, `{"status":"success","data":"sum by (y) (x)"}`},
		{"exemplars", "/api/v1/query_exemplars", form("query", `x`, "start", half, "end", end), false, 200, `{"status":"success","data":[]}`},

		{"no PromQL", "/api/v1/query", form("query", `sum(`), false, 400, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis"}`},
		{"no time", "/api/v1/query", form("query", `1`, "time", "soon"), false, 400, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"time\": cannot parse \"soon\" to a valid timestamp"}`},
		{"no start", "/api/v1/query_range", form("query", `1`, "end", end, "step", "1"), false, 400, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"start\": cannot parse \"\" to a valid timestamp"}`},
		{"no step", "/api/v1/query_range", form("query", `1`, "start", half, "end", end), false, 400, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer"}`},
		{"backwards", "/api/v1/query_range", form("query", `1`, "start", end, "end", half, "step", "1"), false, 400, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"end\": end timestamp must not be before start time"}`},
		{"too fine", "/api/v1/query_range", form("query", `1`, "start", "0", "end", end, "step", "1"), false, 400, `{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"}`},
		{"series of all", "/api/v1/series", form(), false, 400, `{"status":"error","errorType":"bad_data","error":"no match[] parameter provided"}`},
		{"all", "/api/v1/labels", form("match[]", `{x=~".*"}`), false, 400, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"match[]\": match[] must contain at least one non-empty matcher"}`},
		{"nowhere", "/api/v1/admin/tsdb/snapshot", form(), false, 404, ``},
		{"twice the same", "/api/v1/query", form("query", `sum by (api)(requests_total) + on(api) requests_total`, "time", end), false, 422, ``},
	} {
		for _, method := range []string{"GET", "POST"} {
			if method == "POST" && tc.get {
				continue
			}
			status, body := call(a, method, tc.path, tc.form)
			if status != tc.status || tc.want != "" && body != tc.want {
				t.Errorf("%s by %s: %d\n%s\nwant %d\n%s", tc.name, method, status, body, tc.status, tc.want)
			}
			if !json.Valid([]byte(body)) {
				t.Errorf("%s: %s", tc.name, body)
			}
		}
	}
	status, body := call(a, "GET", "/api/v1/status/buildinfo", nil)
	if status != 200 || !strings.Contains(body, `"version":"3.`) || !strings.Contains(body, "gatehouse v1.2.3") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := call(a, "GET", "/api/v1/query", form("query", "in_flight", "time", end, "stats", "all")); status != 200 || !strings.Contains(body, `"totalQueryableSamples":1`) {
		t.Errorf("%d %s", status, body)
	}
}

// What a query may cost is bounded, and the answer says by what.
func TestBounds(t *testing.T) {
	small := limits()
	small.Samples, small.Series = 50, 1
	a := newAPI(t, small)
	for _, tc := range []struct {
		form   url.Values
		status int
		want   string
	}{
		{form("query", `in_flight[1h]`, "time", end), 422, "metrics.queries.samples"},
		{form("query", `requests_total`, "time", end), 422, "touches 2 series, and may touch 1"},
	} {
		status, body := call(a, "GET", "/api/v1/query", tc.form)
		if status != tc.status || !strings.Contains(body, tc.want) || !strings.Contains(body, `"errorType":"execution"`) {
			t.Errorf("%d %s", status, body)
		}
	}
	if status, body := call(a, "GET", "/api/v1/series", form("match[]", "requests_total", "end", end)); status != 422 {
		t.Errorf("%d %s", status, body)
	}
	brief := limits()
	a.SetLimits(brief)
	if status, body := call(a, "GET", "/api/v1/query", form("query", `requests_total`, "time", end, "timeout", "0.000000001")); status != 503 || !strings.Contains(body, `"errorType":"timeout"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := call(a, "POST", "/api/v1/query", form("query", strings.Repeat("1+", 1<<20))); status != 400 {
		t.Errorf("%d %.100s", status, body)
	}
}

// held keeps queries waiting within the store.
type held struct {
	Source
	begun, wait chan struct{}
}

func (h held) Queryable(int) storage.Queryable {
	return storage.QueryableFunc(func(_, _ int64) (storage.Querier, error) {
		h.begun <- struct{}{}
		<-h.wait
		return storage.NoopQuerier(), nil
	})
}

// So many run at once; others wait, and are told when they have waited in vain.
func TestConcurrent(t *testing.T) {
	h := held{filled(t), make(chan struct{}), make(chan struct{})}
	a := New(h, "v1", limits(), slog.New(slog.DiscardHandler))
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			if status, body := call(a, "GET", "/api/v1/query", form("query", "x")); status != 200 {
				t.Errorf("%d %s", status, body)
			}
		})
		<-h.begun
	}
	status, body := call(a, "GET", "/api/v1/query", form("query", "x", "timeout", "1ms"))
	if status != 503 || !strings.Contains(body, "2 queries run already") || !strings.Contains(body, `"unavailable"`) {
		t.Errorf("%d %s", status, body)
	}
	close(h.wait)
	all.Wait()
}

// A store that is another process's says so.
func TestClosed(t *testing.T) {
	s := store.New(store.Options{Dir: t.TempDir()})
	a := New(s, "v1", limits(), slog.New(slog.DiscardHandler))
	for _, path := range []string{"/api/v1/query", "/api/v1/labels"} {
		if status, body := call(a, "GET", path, form("query", "x")); status != 503 || !strings.Contains(body, "not open") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func FuzzQuery(f *testing.F) {
	a := New(filled(f), "v1", limits(), slog.New(slog.DiscardHandler))
	f.Add("sum(rate(requests_total[5m]))", end, "5m")
	f.Add(`{__name__=~".+"} @ 1800000000`, "1e300", "-1")
	f.Add("in_flight[1h:1m]", "2027-01-15T09:00:00Z", "1y")
	f.Fuzz(func(t *testing.T, query, at, step string) {
		for _, path := range []string{"/api/v1/query", "/api/v1/query_range", "/api/v1/series"} {
			status, body := call(a, "GET", path, form("query", query, "time", at, "start", at, "end", at, "step", step, "match[]", query))
			if !json.Valid([]byte(body)) || status == 500 {
				t.Fatal(fmt.Sprint(path, status, body))
			}
		}
	})
}

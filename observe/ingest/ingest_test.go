package ingest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"gatehouse/observe/store"
)

// noted is a batch that notes what comes.
type noted []string

func (n *noted) Add(l labels.Labels, k store.Kind, v float64) {
	*n = append(*n, fmt.Sprintf("%s %s %v", l, map[store.Kind]string{store.Gauge: "gauge", store.Counter: "counter"}[k], v))
}

func TestRead(t *testing.T) {
	for _, tc := range []struct {
		name, text, kind string
		want             []string
	}{
		{"counter", "# HELP jobs_total Jobs.\n# TYPE jobs_total counter\njobs_total{kind=\"a\"} 5 1234\n", "", []string{`{__name__="jobs_total", instance="i", job="j", kind="a"} counter 5`}},
		{"untyped", "a_total 1\nb 2\n", "text/plain; version=0.0.4", []string{`{__name__="a_total", instance="i", job="j"} counter 1`, `{__name__="b", instance="i", job="j"} gauge 2`}},
		{"histogram", "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 4.5\nh_count 3\n", "", []string{
			`{__name__="h_bucket", instance="i", job="j", le="1.0"} counter 2`, `{__name__="h_bucket", instance="i", job="j", le="+Inf"} counter 3`,
			`{__name__="h_sum", instance="i", job="j"} counter 4.5`, `{__name__="h_count", instance="i", job="j"} counter 3`}},
		{"gauge whose name says otherwise", "# TYPE open_count gauge\nopen_count 2\n", "", []string{`{__name__="open_count", instance="i", job="j"} gauge 2`}},
		{"OpenMetrics", "# TYPE x counter\nx_total 3\n# EOF\n", "application/openmetrics-text; version=1.0.0", []string{`{__name__="x_total", instance="i", job="j"} counter 3`}},
		{"labels of its own", "x{job=\"evil\",instance=\"other\",empty=\"\"} 1\n", "", []string{`{__name__="x", exported_instance="other", exported_job="evil", instance="i", job="j"} gauge 1`}},
		{"the gateway's names", "gatehouse_requests_total 1e9\ny 1\n", "", []string{`{__name__="y", instance="i", job="j"} gauge 1`}},
		{"nothing", "", "", nil},
	} {
		var got noted
		out, err := Read([]byte(tc.text), tc.kind, Origin{Job: "j", Instance: "i"}, &got)
		if err != nil || !slices.Equal(got, tc.want) || out.Samples != len(tc.want) {
			t.Errorf("%s: %v\n%v\nwant %v", tc.name, err, strings.Join(got, "\n"), tc.want)
		}
	}
}

func TestRefuses(t *testing.T) {
	var many strings.Builder
	for i := range maxLabels + 1 {
		fmt.Fprintf(&many, "l%d=\"x\",", i)
	}
	for name, text := range map[string]string{
		"no metrics":    "<html>\n",
		"labels":        "x{" + many.String() + "} 1\n",
		"long value":    "x{a=\"" + strings.Repeat("v", maxValue+1) + "\"} 1\n",
		"long name":     strings.Repeat("n", maxName+1) + " 1\n",
		"a label twice": "x{exported_job=\"a\",job=\"b\"} 1\n",
		"series":        strings.Repeat("x 1\n", maxSeries+1),
		"half a line":   "x{a=\"b\n",
	} {
		var got noted
		if _, err := Read([]byte(text), "", Origin{Job: "j"}, &got); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("# TYPE h histogram\nh_bucket{le=\"1\"} 2\n", "")
	f.Add("# TYPE x counter\nx_total 3\n# EOF\n", "application/openmetrics-text; version=1.0.0")
	f.Add("{\"utf8.name\",a=\"b\"} 1\n", "text/plain; version=1.0.0")
	f.Fuzz(func(t *testing.T, text, kind string) {
		if strings.Contains(kind, "protobuf") {
			return // none of the formats that are read
		}
		var got noted
		out, err := Read([]byte(text), kind, Origin{Job: "j"}, &got)
		if err == nil && out.Samples != len(got) {
			t.Fatal(out, got)
		}
		for _, s := range got {
			if strings.Contains(s, `__name__="gatehouse_`) || !strings.Contains(s, `job="j"`) {
				t.Fatal(s)
			}
		}
	})
}

func TestPush(t *testing.T) {
	s := store.New(store.Options{Dir: filepath.Join(t.TempDir(), "metrics")})
	p := NewPushed(s)
	p.Set(2, "")
	push := func(h http.Handler, query, text, token string) (int, string) {
		r := httptest.NewRequest("POST", "/v1/metrics/push?"+query, strings.NewReader(text))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl says
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		body, _ := io.ReadAll(w.Body)
		return w.Code, string(body)
	}
	if status, body := push(p.Trusted(), "job=a", "x 1\n", ""); status != 503 {
		t.Errorf("a closed store: %d %s", status, body)
	}
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, tc := range []struct {
		h                 http.Handler
		set, query, token string
		text              string
		status            int
		want              string
	}{
		{p.Trusted(), "", "job=a", "", "x 1\ny 2\n", 200, `{"samples":2}`},
		{p.Trusted(), "", "job=a", "", "gatehouse_x 1\ny 3\n", 200, `{"samples":1,"reserved":1}`},
		{p.Trusted(), "", "", "", "x 1\n", 400, "?job=NAME"},
		{p.Trusted(), "", "job=a", "", "x{\n", 400, "cannot be read"},
		{p.Guarded(), "", "job=a", "", "x 1\n", 403, "metrics.push.token"},
		{p.Guarded(), "secret", "job=a", "", "x 1\n", 401, "Bearer"},
		{p.Guarded(), "secret", "job=a", "wrong", "x 1\n", 401, "Bearer"},
		{p.Guarded(), "secret", "job=b&instance=1", "secret", "x 1\n", 200, `{"samples":1}`},
		{p.Trusted(), "", "job=b&instance=2", "", "x 1\nz 1\nzz 1\n", 200, `{"samples":3}`}, // of which one has room
	} {
		p.Set(2, tc.set)
		if status, body := push(tc.h, tc.query, tc.text, tc.token); status != tc.status || !strings.Contains(body, tc.want) {
			t.Errorf("%s %q: %d %s", tc.query, tc.text, status, body)
		}
	}
	if st := s.Stats(); st.Series != 4 || st.Folded != 2 {
		t.Errorf("%+v", st)
	}
	for i := range MaxJobs - 2 {
		if status, body := push(p.Trusted(), fmt.Sprint("job=n", i), "x 1\n", ""); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	if status, _ := push(p.Trusted(), "job=over", "x 1\n", ""); status != 429 {
		t.Errorf("%d", status)
	}
}

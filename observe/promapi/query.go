package promapi

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/prometheus/prometheus/util/stats"
)

// result is the data of an answer.
type result struct {
	data     any
	warnings []string
	infos    []string
}

// queryData is the data of an answer to a query.
type queryData struct {
	ResultType parser.ValueType `json:"resultType"`
	Result     parser.Value     `json:"result"`
	Stats      stats.QueryStats `json:"stats,omitempty"`
}

// maxPoints is how many points a range may have, as in Prometheus.
const maxPoints = 11_000

func (a *API) query(r *http.Request) (*result, error) {
	at, err := readTime(r, "time", time.Now())
	if err != nil {
		return nil, err
	}
	return a.run(r, func(ctx context.Context, n *running, o promql.QueryOpts) (promql.Query, error) {
		return n.engine.NewInstantQuery(ctx, a.source.Queryable(n.limits.Series), o, r.FormValue("query"), at)
	})
}

func (a *API) queryRange(r *http.Request) (*result, error) {
	start, err := needTime(r, "start")
	if err != nil {
		return nil, err
	}
	end, err := needTime(r, "end")
	if err != nil {
		return nil, err
	}
	step, err := readDuration(r, "step", 0)
	switch {
	case err != nil:
		return nil, err
	case end.Before(start):
		return nil, bad("invalid parameter \"end\": end timestamp must not be before start time")
	case step < time.Millisecond:
		return nil, bad("invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer")
	case end.Sub(start)/step > maxPoints:
		return nil, bad("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)")
	}
	return a.run(r, func(ctx context.Context, n *running, o promql.QueryOpts) (promql.Query, error) {
		return n.engine.NewRangeQuery(ctx, a.source.Queryable(n.limits.Series), o, r.FormValue("query"), start, end, step)
	})
}

// run runs a query within the limits.
func (a *API) run(r *http.Request, make func(context.Context, *running, promql.QueryOpts) (promql.Query, error)) (*result, error) {
	n := a.now.Load()
	timeout, err := readDuration(r, "timeout", n.limits.Timeout)
	if err != nil {
		return nil, err
	}
	lookback, err := readDuration(r, "lookback_delta", 0)
	if err != nil {
		return nil, err
	}
	limit, err := readLimit(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), min(timeout, n.limits.Timeout))
	defer cancel()
	release, err := n.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	q, err := make(ctx, n, promql.NewPrometheusQueryOpts(false, lookback, nil))
	if err != nil {
		return nil, bad("invalid parameter \"query\": %v", err)
	}
	defer q.Close()
	out := q.Exec(ctx)
	if out.Err != nil {
		return nil, n.problemOf(out.Err)
	}
	value, cut := shortened(copied(out.Value), limit)
	answer := &result{data: queryData{ResultType: value.Type(), Result: value, Stats: statsOf(r, q)}}
	answer.tell(out.Warnings, r.FormValue("query"))
	if cut {
		answer.warnings = append(answer.warnings, "results truncated due to limit")
	}
	return answer, nil
}

func statsOf(r *http.Request, q promql.Query) stats.QueryStats {
	if r.FormValue("stats") == "" {
		return nil
	}
	return stats.NewQueryStats(q.Stats())
}

// copied makes a result outlive its query, whose buffers are used again; an empty
// one is a list without elements.
func copied(v parser.Value) parser.Value {
	switch v := v.(type) {
	case promql.Vector:
		return append(promql.Vector{}, v...)
	case promql.Matrix:
		out := make(promql.Matrix, len(v))
		for i, s := range v {
			s.Floats = append([]promql.FPoint(nil), s.Floats...)
			out[i] = s
		}
		return out
	}
	return v
}

// shortened leaves so many series; 0 for all.
func shortened(v parser.Value, limit int) (parser.Value, bool) {
	switch v := v.(type) {
	case promql.Vector:
		if limit > 0 && len(v) > limit {
			return v[:limit], true
		}
	case promql.Matrix:
		if limit > 0 && len(v) > limit {
			return v[:limit], true
		}
	}
	return v, false
}

func (r *result) tell(all annotations.Annotations, query string) {
	r.warnings, r.infos = all.AsStrings(query, 10, 10)
}

func (a *API) formatQuery(r *http.Request) (*result, error) {
	e, err := a.parser.ParseExpr(r.FormValue("query"))
	if err != nil {
		return nil, bad("invalid parameter \"query\": %v", err)
	}
	return &result{data: e.Pretty(0)}, nil
}

// exemplars answers that there are none: none are kept.
func (a *API) exemplars(r *http.Request) (*result, error) {
	if _, err := a.parser.ParseExpr(r.FormValue("query")); err != nil {
		return nil, bad("invalid parameter \"query\": %v", err)
	}
	return &result{data: []string{}}, nil
}

package promapi

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// span is what a question about labels is about: a time and selections.
type span struct {
	querier  storage.Querier
	selected [][]*labels.Matcher // without any: everything
	limit    int
}

// ask reads what is common to questions about labels, and asks.
func (a *API) ask(r *http.Request, do func(ctx context.Context, s span) (*result, error)) (*result, error) {
	n := a.now.Load()
	start, err := readTime(r, "start", time.Unix(0, 0))
	if err != nil {
		return nil, err
	}
	end, err := readTime(r, "end", time.Now())
	if err != nil {
		return nil, err
	}
	limit, err := readLimit(r)
	if err != nil {
		return nil, err
	}
	selected, err := a.selections(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), n.limits.Timeout)
	defer cancel()
	release, err := n.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	q, err := a.source.Queryable(n.limits.Series).Querier(start.UnixMilli(), end.UnixMilli())
	if err != nil {
		return nil, n.problemOf(err)
	}
	defer q.Close()
	out, err := do(ctx, span{q, selected, limit})
	if err != nil {
		return nil, n.problemOf(err)
	}
	return out, nil
}

// gather asks once for each selection, and returns all answers without doubles.
func (s span) gather(ask func(...*labels.Matcher) ([]string, error)) (*result, error) {
	selected := s.selected
	if len(selected) == 0 {
		selected = [][]*labels.Matcher{nil}
	}
	all := make(map[string]bool)
	for _, m := range selected {
		values, err := ask(m...)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			all[v] = true
		}
	}
	return s.listed(slices.Sorted(maps.Keys(all))), nil
}

func (s span) listed(all []string) *result {
	out := &result{data: all}
	if all == nil {
		out.data = []string{}
	}
	if s.limit > 0 && len(all) > s.limit {
		out.data, out.warnings = all[:s.limit], []string{"results truncated due to limit"}
	}
	return out
}

func (a *API) labelNames(r *http.Request) (*result, error) {
	return a.ask(r, func(ctx context.Context, s span) (*result, error) {
		return s.gather(func(m ...*labels.Matcher) ([]string, error) {
			names, _, err := s.querier.LabelNames(ctx, nil, m...)
			return names, err
		})
	})
}

func (a *API) labelValues(r *http.Request) (*result, error) {
	name := r.PathValue("name")
	if strings.HasPrefix(name, "U__") {
		name = model.UnescapeName(name, model.ValueEncodingEscaping)
	}
	if !model.UTF8Validation.IsValidLabelName(name) {
		return nil, bad("invalid label name: %q", name)
	}
	return a.ask(r, func(ctx context.Context, s span) (*result, error) {
		return s.gather(func(m ...*labels.Matcher) ([]string, error) {
			values, _, err := s.querier.LabelValues(ctx, name, nil, m...)
			return values, err
		})
	})
}

func (a *API) series(r *http.Request) (*result, error) {
	if len(r.Form["match[]"]) == 0 {
		return nil, bad("no match[] parameter provided")
	}
	return a.ask(r, func(ctx context.Context, s span) (*result, error) {
		out := &result{}
		found := []labels.Labels{}
		seen := make(map[string]bool)
		for _, m := range s.selected {
			set := s.querier.Select(ctx, true, &storage.SelectHints{Func: "series"}, m...)
			for set.Next() {
				l := set.At().Labels()
				if key := l.String(); !seen[key] {
					seen[key] = true
					found = append(found, l)
				}
			}
			if set.Err() != nil {
				return nil, set.Err()
			}
		}
		if s.limit > 0 && len(found) > s.limit {
			found, out.warnings = found[:s.limit], []string{"results truncated due to limit"}
		}
		out.data = found
		return out, nil
	})
}

// description is what metadata says of the series of a name.
type description struct {
	Type string `json:"type"`
	Help string `json:"help"`
	Unit string `json:"unit"`
}

func (a *API) metadata(r *http.Request) (*result, error) {
	limit, err := readLimit(r)
	if err != nil {
		return nil, err
	}
	wanted := r.FormValue("metric")
	out := make(map[string][]description)
	families := a.source.Families()
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if wanted != "" && name != wanted || limit > 0 && len(out) >= limit {
			continue
		}
		f := families[name]
		out[name] = []description{{f.Type, f.Help, f.Unit}}
	}
	return &result{data: out}, nil
}

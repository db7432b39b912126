package cloudwatch

import (
	"fmt"
	"strconv"
	"strings"
)

// question is what a shape is asked about.
type question struct {
	matchers []string // of labels: api="shop"
	period   string
}

// select returns a selector of a metric, with further matchers.
func (q question) selector(name string, more ...string) string {
	return name + "{" + strings.Join(append(append([]string(nil), q.matchers...), more...), ", ") + "}"
}

// counted is what a counter has counted in the period, exactly.
func (q question) counted(name string, more ...string) string {
	return "sum(increase(" + q.selector(name, more...) + "[" + q.period + "] anchored))"
}

// shape says how a metric's statistics come about.
type shape interface {
	say(q question, statistic string, quantile float64) (string, error)
}

// flag is 0 or 1 for each request: those with some codes among all. Without codes it
// is 1 for all.
type flag struct {
	metric string
	codes  string // a matcher
}

func (f flag) say(q question, statistic string, _ float64) (string, error) {
	all := q.counted(f.metric)
	some := all
	if f.codes != "" {
		some = "(" + q.counted(f.metric, f.codes) + " or vector(0))"
	}
	var value string
	switch statistic {
	case sampleCount:
		return all + " > 0", nil
	case sum:
		value = some
	case average:
		value = some + " / " + all
	case minimum:
		value = "(" + some + " >= bool " + all + ")"
	case maximum:
		value = "(" + some + " > bool 0)"
	default:
		return "", fmt.Errorf("percentiles of a metric that is 0 or 1 say nothing: take Average")
	}
	return value + " and " + all + " > 0", nil
}

// share is a flag in percent, as CloudFront's rates are: its Average.
type share struct{ flag }

func (s share) say(q question, statistic string, quantile float64) (string, error) {
	if statistic != average {
		return "", fmt.Errorf("a rate has the statistic Average alone")
	}
	text, err := s.flag.say(q, average, quantile)
	return "100 * (" + text + ")", err
}

// volume is what some counters count together, so much for each request.
type volume struct {
	metrics  []string
	requests string // counter of what there is a sample for; "" for none
	more     []string
}

func (v volume) say(q question, statistic string, _ float64) (string, error) {
	parts := make([]string, len(v.metrics))
	for i, m := range v.metrics {
		parts[i] = q.counted(m, v.more...)
	}
	total := strings.Join(parts, " + ")
	if v.requests == "" {
		if statistic != sum {
			return "", fmt.Errorf("this metric has the statistic Sum alone")
		}
		return total, nil
	}
	all := q.counted(v.requests)
	switch statistic {
	case sampleCount:
		return all + " > 0", nil
	case sum:
		return "(" + total + ") and " + all + " > 0", nil
	case average:
		return "(" + total + ") / (" + all + " > 0)", nil
	}
	return "", fmt.Errorf("this metric has the statistics Sum, Average and SampleCount alone")
}

// spread is durations in a histogram, in milliseconds.
type spread struct{ metric string }

func (s spread) say(q question, statistic string, quantile float64) (string, error) {
	all, total := q.counted(s.metric+"_count"), q.counted(s.metric+"_sum")
	at := func(share float64) string {
		buckets := "sum by (le) (increase(" + q.selector(s.metric+"_bucket") + "[" + q.period + "] anchored))"
		return "1000 * histogram_quantile(" + strconv.FormatFloat(share, 'g', -1, 64) + ", " + buckets + ") and " + all + " > 0"
	}
	switch statistic {
	case sampleCount:
		return all + " > 0", nil
	case sum:
		return "1000 * " + total + " and " + all + " > 0", nil
	case average:
		return "1000 * " + total + " / (" + all + " > 0)", nil
	case minimum:
		return at(0), nil
	case maximum:
		return at(1), nil
	}
	return at(quantile), nil
}

// level is a value that goes up and down, added up over what is selected at each
// sample.
type level struct{ metric string }

func (l level) say(q question, statistic string, quantile float64) (string, error) {
	over := "(sum(" + q.selector(l.metric) + ")[" + q.period + ":10s])"
	switch statistic {
	case sampleCount:
		return "count_over_time" + over, nil
	case sum:
		return "sum_over_time" + over, nil
	case average:
		return "avg_over_time" + over, nil
	case minimum:
		return "min_over_time" + over, nil
	case maximum:
		return "max_over_time" + over, nil
	}
	return "quantile_over_time(" + strconv.FormatFloat(quantile, 'g', -1, 64) + ", " + over[1:], nil
}

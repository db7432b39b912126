// Package cloudwatch says CloudWatch's metrics in PromQL: their names, dimensions and
// statistics, over the metrics that Gatehouse keeps. Nothing is recorded for that.
package cloudwatch

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Metric is a metric as CloudWatch names it.
type Metric struct {
	Namespace  string // AWS/ApiGateway; "" where the name is in one namespace alone
	Name       string
	Dimensions map[string]string
}

// Known is a metric that can be asked for.
type Known struct {
	Namespace  string   `json:"namespace"`
	Name       string   `json:"name"`
	Unit       string   `json:"unit"`
	Dimensions []string `json:"dimensions"`
}

// All returns the metrics that can be asked for, by namespace and name.
func All() []Known {
	var out []Known
	for _, d := range definitions() {
		out = append(out, Known{d.namespace, d.name, d.unit, d.family.dimensions()})
	}
	slices.SortFunc(out, func(a, b Known) int {
		return strings.Compare(a.Namespace+" "+a.Name, b.Namespace+" "+b.Name)
	})
	return out
}

// Expression returns PromQL for a statistic of a metric over the period that ends at the
// time of the query: SampleCount, Sum, Average, Minimum, Maximum, or a percentile such as
// p99 or p99.9. It has one value, or none where CloudWatch would have no data point. The
// period is a whole number of seconds.
func Expression(m Metric, statistic string, period time.Duration) (string, error) {
	d, err := find(m)
	if err != nil {
		return "", err
	}
	if period < time.Second || period%time.Second != 0 {
		return "", fmt.Errorf("a period of %v is no whole number of seconds", period)
	}
	matchers, err := d.family.matchers(m.Dimensions)
	if err != nil {
		return "", fmt.Errorf("%s: %w", m.Name, err)
	}
	q := question{matchers: matchers, period: strconv.FormatInt(int64(period/time.Second), 10) + "s"}
	statistic, quantile, err := readStatistic(statistic)
	if err != nil {
		return "", err
	}
	return d.shape.say(q, statistic, quantile)
}

func find(m Metric) (definition, error) {
	var found []definition
	names := make(map[string]bool)
	for _, d := range definitions() {
		if m.Namespace == "" || m.Namespace == d.namespace {
			names[d.name] = true
			if d.name == m.Name {
				found = append(found, d)
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return definition{}, fmt.Errorf("%s is a metric of several namespaces: say %s or %s", m.Name, found[0].namespace, found[1].namespace)
	case len(names) == 0:
		return definition{}, fmt.Errorf("there is no namespace %q", m.Namespace)
	}
	return definition{}, fmt.Errorf("there is no metric %q: there are %s", m.Name, strings.Join(slices.Sorted(maps.Keys(names)), ", "))
}

// The statistics, in the form that shapes are asked for.
const (
	sampleCount = "SampleCount"
	sum         = "Sum"
	average     = "Average"
	minimum     = "Minimum"
	maximum     = "Maximum"
	percentile  = "p"
)

func readStatistic(text string) (statistic string, quantile float64, err error) {
	for _, s := range []string{sampleCount, sum, average, minimum, maximum} {
		if strings.EqualFold(text, s) {
			return s, 0, nil
		}
	}
	if number, ok := strings.CutPrefix(strings.ToLower(text), "p"); ok {
		if p, err := strconv.ParseFloat(number, 64); err == nil && p >= 0 && p <= 100 {
			return percentile, p / 100, nil
		}
	}
	return "", 0, fmt.Errorf("there is no statistic %q: write SampleCount, Sum, Average, Minimum, Maximum or a percentile such as p99", text)
}

package cloudwatch

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// translation is the answer to a question for a metric.
type translation struct {
	Expression string `json:"expression"`
}

// Handler says metrics in PromQL: ?metric=5XXError&statistic=Sum&period=60s, with
// namespace where several have the name, and dimensions by theirs. Without a metric it
// lists all.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		form := r.URL.Query()
		if form.Get("metric") == "" {
			answer(w, http.StatusOK, All())
			return
		}
		text, err := translate(form)
		if err != nil {
			answer(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
			return
		}
		answer(w, http.StatusOK, translation{text})
	})
}

// The defaults of a question.
const (
	defaultStatistic = average
	defaultPeriod    = time.Minute
)

func translate(form url.Values) (string, error) {
	m := Metric{Namespace: form.Get("namespace"), Name: form.Get("metric"), Dimensions: make(map[string]string)}
	statistic, period := defaultStatistic, defaultPeriod
	for name := range form {
		value := form.Get(name)
		switch name {
		case "namespace", "metric":
		case "statistic":
			statistic = value
		case "period":
			var err error
			if period, err = time.ParseDuration(value); err != nil {
				return "", err
			}
		default:
			m.Dimensions[name] = value
		}
	}
	return Expression(m, statistic, period)
}

func answer(w http.ResponseWriter, status int, document any) {
	body, _ := json.Marshal(document) // of texts: it cannot fail
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

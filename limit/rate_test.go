package limit

import (
	"math"
	"testing"
)

func TestRateText(t *testing.T) {
	for _, tc := range []struct {
		text      string
		perSecond float64
		burst     int
	}{
		{"10/s", 10, 10},
		{"600/m", 10, 10},
		{"1000/h", 1000.0 / 3600, 1},
		{"5/d", 5.0 / 86400, 1},
		{"0.5/s", 0.5, 1},
		{"2.5/s", 2.5, 3},
		{"1000000/s", 1e6, 1000000},
	} {
		var r Rate
		if err := r.UnmarshalText([]byte(tc.text)); err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if math.Abs(r.PerSecond()-tc.perSecond) > 1e-12 || r.DefaultBurst() != tc.burst || r.String() != tc.text {
			t.Errorf("%s: %v a second, burst %d, %s", tc.text, r.PerSecond(), r.DefaultBurst(), r)
		}
	}
	for _, text := range []string{"", "10", "/s", "10/", "10/x", "10/sec", "-1/s", "+1/s", "1e3/s", "0x10/s", "1_0/s", "NaN/s", "Inf/s", ".5/s", "5./s", " 5/s", "5/s ", "5 /s", "0/s", "1000001/s", "0.002/d", "1/s/s", "9999999999999999999999/s"} {
		r := PerSecond(7)
		if err := r.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, r)
		}
		if r != PerSecond(7) {
			t.Errorf("%q: the error changed the rate to %v", text, r)
		}
	}
	if (Rate{}).IsSet() || (Rate{}).String() != "" || (Rate{}).PerSecond() != 0 {
		t.Error("the zero Rate is none")
	}
}

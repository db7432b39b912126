package guard

import "testing"

// A share is above nothing and no more than all.
func FuzzPercent(f *testing.F) {
	for _, text := range []string{"20%", "0%", "100%", "1e-300%", "NaN%", "+Inf%", "-5%", "20", "%"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var p Percent
		if p.UnmarshalText([]byte(text)) == nil && !(p > 0 && p <= 1) {
			t.Errorf("%q: %v", text, p)
		}
	})
}

package config_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"gatehouse/config"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "250ms": 250 * time.Millisecond, "1m30s": 90 * time.Second, "2d": 48 * time.Hour,
		"1d12h": 36 * time.Hour, "1.5h": 90 * time.Minute, "0.1s": 100 * time.Millisecond, "1us": time.Microsecond,
		"1µs": time.Microsecond, "7ns": 7, "1.9ns": 1, "106751d": 106751 * 24 * time.Hour, "1s1s": 2 * time.Second,
		"0.000000001s": 1,
	} {
		var d config.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.D() != want {
			t.Errorf("%s is %v, not %v (%v)", text, d.D(), want, err)
		}
	}
	for _, text := range []string{"", " ", "1", "30", "s", "-1s", "+1s", "1 s", "1S", "1M", "1w", "1y", ".5s", "5.s", "1..5s", "1.5.5s", "1e3s", "1m30", "106752d", "99999999999999999999s", "1_0s", "٣s", "1sx", "9223372036854775808ns", "9223372036.9s"} {
		var d config.Duration
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, d)
		}
	}
	for d, want := range map[config.Duration]string{
		0: "0s", 1: "1ns", config.Duration(90 * time.Second): "1m30s", config.Duration(36 * time.Hour): "1d12h",
		config.Duration(1500 * time.Millisecond): "1s500ms", -1: "-1ns", math.MaxInt64: "106751d23h47m16s854ms775us807ns", math.MinInt64: "-106751d23h47m16s854ms775us808ns",
	} {
		if d.String() != want {
			t.Errorf("%d prints %s, not %s", d, d, want)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]config.Size{
		"0": 0, "512": 512, "512B": 512, "64KiB": 64 << 10, "10MiB": 10 << 20, "1GiB": 1 << 30, "2TiB": 2 << 40,
		"10kB": 10_000, "10MB": 10_000_000, "1GB": 1e9, "1TB": 1e12, "007KiB": 7 << 10, "9223372036854775807": math.MaxInt64,
	} {
		var s config.Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s is %d, not %d (%v)", text, s, want, err)
		}
	}
	for _, text := range []string{"", "B", "-1", "+1", "1.5MiB", "1K", "1KB", "1kb", "1M", "1mib", "1 MiB", "1e3", "0x10", "1_000", "9223372036854775808", "8388608TiB", "99999999999999999999999", "1MiBB"} {
		var s config.Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, s)
		}
	}
	for s, want := range map[config.Size]string{
		0: "0", 1: "1", 512: "512", 1000: "1kB", 1024: "1KiB", 1025: "1025", 10 << 20: "10MiB", 1536: "1536", 1_500_000: "1500kB", 1 << 50: "1024TiB",
	} {
		if s.String() != want {
			t.Errorf("%d prints %s, not %s", int64(s), s, want)
		}
	}
}

func TestValuesAsJSON(t *testing.T) {
	type values struct {
		D config.Duration
		S config.Size
		P config.Pos
	}
	in := values{config.Duration(90 * time.Second), 10 << 20, config.Pos{File: "f", Line: 1, Column: 2}}
	text, err := json.Marshal(in)
	if want := `{"D":"1m30s","S":"10MiB","P":{"file":"f","line":1,"column":2}}`; err != nil || string(text) != want {
		t.Errorf("%s, not %s (%v)", text, want, err)
	}
	var out values
	if err := json.Unmarshal(text, &out); err != nil || out != in {
		t.Errorf("%+v, not %+v (%v)", out, in, err)
	}
}

func FuzzDuration(f *testing.F) {
	for _, text := range []string{"0", "1m30s", "250ms", "1d12h", "1.5h", "106751d", "-1s", "1µs", "9223372036854775807ns"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d, again config.Duration
		if d.UnmarshalText([]byte(text)) != nil {
			return
		}
		if d < 0 {
			t.Fatalf("%q is negative: %d", text, d)
		}
		if err := again.UnmarshalText([]byte(d.String())); err != nil || again != d {
			t.Fatalf("%q is %v, which is %v (%v)", text, d, again, err)
		}
		if std, err := time.ParseDuration(text); err == nil && std != d.D() {
			t.Fatalf("%q is %v, and to Go %v", text, d.D(), std)
		}
	})
}

func FuzzSize(f *testing.F) {
	for _, text := range []string{"0", "512", "64KiB", "10MB", "8388607TiB", "-1", "1.5MiB"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s, again config.Size
		if s.UnmarshalText([]byte(text)) != nil {
			return
		}
		if s < 0 {
			t.Fatalf("%q is negative: %d", text, s)
		}
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Fatalf("%q is %v, which is %v (%v)", text, s, again, err)
		}
	})
}

func TestNearest(t *testing.T) {
	known := []string{"match", "target", "authorize", "api-key", "tls"}
	for name, want := range map[string]string{
		"matc": "match", "targte": "target", "autorise": "authorize", "apikey": "api-key", "tsl": "tls", "xyz": "", "": "", "TLS": "tls", "API_KEY": "api-key",
	} {
		if got := config.Nearest(name, known); got != want {
			t.Errorf("%q is near %q, not %q", name, got, want)
		}
	}
}

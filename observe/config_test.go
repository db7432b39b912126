package observe

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/config"
)

type document struct {
	config.At
	Log LogConfig `yaml:"log" doc:"x"`
}

func TestLogConfig(t *testing.T) {
	dir, _ := filepath.Abs(".")
	for _, tc := range []struct{ yaml, path, format string }{
		{"log: {}", "stdout", "json"},
		{"log: {level: warn}", "stdout", "json"},
		{"log: {access: off}", "off", "json"},
		{"log: {access: data/a.log}", filepath.Join(dir, "data/a.log"), "json"},
		{"log: {access: /var/log/a.log, format: $context.status}", "/var/log/a.log", "$context.status"},
	} {
		var d document
		if _, err := config.LoadBytes("g.yaml", []byte(tc.yaml), &d, config.Options{}); err != nil {
			t.Errorf("%s: %v", tc.yaml, err)
		}
		if d.Log.Access.path() != tc.path || d.Log.Format != tc.format {
			t.Errorf("%s: %+v", tc.yaml, d.Log)
		}
	}
}

func TestLogConfigErrors(t *testing.T) {
	for _, tc := range []struct {
		yaml string
		want []string
	}{
		{"log: {format: $context.requestID}", []string{"g.yaml:1:7", `unknown variable of $context "requestID"`, `did you mean "requestId"?`}},
		{"log: {format: plain}", []string{"g.yaml:1:7", "names no variable"}},
		{"log:\n  format: '{\"a\": $context.status'", []string{"g.yaml:2:3", "no JSON object"}},
		{"log: {level: loud}", []string{"g.yaml:1:14"}},
		{"log: {access: [a]}", []string{"g.yaml:1:15", "stdout or off"}},
		{"log: {acess: off}", []string{"did you mean"}},
	} {
		var d document
		_, err := config.LoadBytes("g.yaml", []byte(tc.yaml), &d, config.Options{})
		if err == nil {
			t.Errorf("%s: no error", tc.yaml)
			continue
		}
		for _, part := range tc.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", tc.yaml, err, part)
			}
		}
	}
}

func TestSlogLevel(t *testing.T) {
	for level, want := range map[string]slog.Level{"": slog.LevelInfo, "debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError} {
		if got := (LogConfig{Level: level}).SlogLevel(); got != want {
			t.Errorf("%q: %v", level, got)
		}
	}
}

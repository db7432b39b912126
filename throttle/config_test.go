package throttle

import (
	"encoding/json"
	"strings"
	"testing"

	"gatehouse/config"
)

type section struct {
	config.At
	Throttle []Config `yaml:"throttle" single:"true"`
}

func TestConfig(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"throttle: 10/s", "10/s burst 10 per route at 1:1"},
		{"throttle: {rate: 0.5/s, per: ip}", "0.5/s burst 1 per ip at 1:1"},
		{"throttle: [10/s, {rate: 50/s, burst: 100, per: ip}]", "10/s burst 10 per route at 1:12, 50/s burst 100 per ip at 1:18"},
		{"throttle:\n  - rate: 1000/h\n    per: principal\n", "1000/h burst 1 per principal at 2:5"},
		{"throttle: []", ""},
		{"{}", ""},
	} {
		var s section
		if _, err := config.LoadBytes("t.yaml", []byte(tc.text), &s, config.Options{}); err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		var got []string
		for _, c := range s.Throttle {
			got = append(got, c.String()+" at "+strings.TrimPrefix(c.Pos.String(), "t.yaml:"))
		}
		if joined := strings.Join(got, ", "); joined != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.text, joined, tc.want)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"throttle: 10", "is no rate"},
		{"throttle: [10/s, ten/s]", "t.yaml:1:18"},
		{"throttle: {burst: 3}", `the key "rate" is missing`},
		{"throttle: {rate: 10/s, burst: 0}", "wanted"},
		{"throttle: {rate: 10/s, burst: 2000000000}", "wanted"},
		{"throttle: {rate: 10/s, per: address}", "wanted route, ip, principal or api-key"},
		{"throttle: {rate: 10/s, pre: ip}", "did you mean"},
		{"throttle: {rate: 0/s}", "out of range"},
		{"throttle: [[10/s]]", "wanted"},
	} {
		var s section
		_, err := config.LoadBytes("t.yaml", []byte(tc.text), &s, config.Options{})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s:\ngot  %v\nwant %s", tc.text, err, tc.want)
		}
	}
}

func TestSchema(t *testing.T) {
	var doc map[string]any
	if err := json.Unmarshal(config.DocumentSchema(section{}, "test"), &doc); err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(doc)
	for _, want := range []string{`[smhd]`, `"principal"`, `"required":["rate"]`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the schema does not say %s: %s", want, text)
		}
	}
}

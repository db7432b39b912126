package importer

import (
	"strings"
	"testing"
)

// TestFit: a rule that a version does not know is left out, and what it kept
// strangers from is closed.
func TestFit(t *testing.T) {
	c := &Config{}
	api := &API{Name: "a", Keys: NewMap()}
	api.Routes = []*Route{
		{Match: "GET /open", Target: "service:s"},
		{Match: "GET /some", Target: "service:s", Keys: NewMap().Put("addresses", []string{"10.0.0.0/8"}).Put("timeout", Raw("1s"))},
	}
	whole := &API{Name: "b", Keys: NewMap().Put("addresses", []string{"10.0.0.0/8"}), Routes: []*Route{{Match: "GET /all", Target: "service:s"}}}
	c.APIs = []*API{api, whole}
	c.Services = []*Service{{Name: "s", Targets: NewList().Add("127.0.0.1:1")}}
	r := c.Result()
	if same := r.Fit([]byte(`"addresses": {`)); string(same.Text) != string(r.Text) || len(same.Closed) != 0 {
		t.Errorf("a version that knows the rule gets\n%s", same.Text)
	}
	less := r.Fit([]byte(`"timeout": {`))
	text := string(less.Text)
	if strings.Contains(text, "\n        addresses:") || strings.Contains(text, "\n    addresses:") || !strings.Contains(text, `it was: addresses: ["10.0.0.0/8"]`) || !strings.Contains(text, "timeout: 1s") {
		t.Errorf("got\n%s", text)
	}
	if got := strings.Join(less.Closed, "; "); got != "a GET /some; b GET /all" {
		t.Errorf("closed: %s", got)
	}
	if got := strings.Join(less.Published, "; "); got != "a GET /open" {
		t.Errorf("open: %s", got)
	}
}

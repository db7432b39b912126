package transform

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMappedQuery(t *testing.T) {
	moved := []Moved{{Name: "a", From: "x"}, {Name: "b&c", From: "y z"}, {Name: "v", Text: "1&2"}}
	for came, want := range map[string]string{
		"":                            "v=1%262",
		"x=1":                         "a=1&v=1%262",
		"x=1&x=%26&a=2&v=3":           "a=1&a=%26&v=1%262",
		"%78=1&y+z=2&y%20z=3&q=4":     "a=1&b%26c=2&b%26c=3&v=1%262",
		"x&&=1&x=&%zz=5":              "a=&a=&v=1%262",
		"X=1&x[]=2&y=3&a=4&b%26c=5&;": "v=1%262",
	} {
		if got := query(came, moved); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", came, got, want)
		}
	}
	if got := query("a=1&b=2", nil); got != "" {
		t.Error(got)
	}
}

// Headers may change places, and what is not named goes.
func TestNarrow(t *testing.T) {
	h := http.Header{"A": {"1", "2"}, "B": {"3"}, "C": {"4"}, "Content-Type": {"text/plain"}, "x_forwarded_for": {"evil"}}
	narrow(h, kept, canonical([]Moved{{Name: "a", From: "b"}, {Name: "b", From: "a"}, {Name: "d", Text: "5"}, {Name: "e", From: "none"}}))
	want := http.Header{"A": {"3"}, "B": {"1", "2"}, "D": {"5"}, "Content-Type": {"text/plain"}}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
}

func TestTakes(t *testing.T) {
	m := &Mapping{Types: []string{"application/json"}}
	for said, want := range map[string]bool{"": true, "application/json": true, "Application/JSON; charset=utf-8": true, "text/plain": false, "/": false} {
		if got := m.takes(&http.Request{Header: http.Header{"Content-Type": {said}}}); got != want {
			t.Errorf("%q: %v", said, got)
		}
	}
}

package config

import "testing"

func TestDigest(t *testing.T) {
	type inner struct {
		At
		Names []Name
		Key   Secret
	}
	type outer struct {
		Map   map[string]*inner
		Limit *int
	}
	one, two := 1, 2
	base := outer{Map: map[string]*inner{"a": {Names: []Name{{Value: "x"}}, Key: NewSecret("s")}}, Limit: &one}
	moved := outer{Map: map[string]*inner{"a": {At: At{Pos: Pos{File: "f", Line: 3, Column: 1}}, Names: []Name{{Value: "x", At: Pos{File: "f", Line: 4, Column: 1}}}, Key: NewSecret("s")}}, Limit: &one}
	if Digest(base) != Digest(moved) {
		t.Error("a place counts")
	}
	for name, other := range map[string]outer{
		"number": {Map: base.Map, Limit: &two},
		"nil":    {Map: base.Map},
		"secret": {Map: map[string]*inner{"a": {Names: []Name{{Value: "x"}}, Key: NewSecret("t")}}, Limit: &one},
		"key":    {Map: map[string]*inner{"b": base.Map["a"]}, Limit: &one},
		"list":   {Map: map[string]*inner{"a": {Names: []Name{{Value: "x"}, {}}, Key: NewSecret("s")}}, Limit: &one},
	} {
		if Digest(base) == Digest(other) {
			t.Errorf("%s does not count", name)
		}
	}
}

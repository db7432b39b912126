package transform

import (
	"maps"
	"slices"
	"testing"
)

func TestOver(t *testing.T) {
	api := &Headers{
		Request:  Change{Set: map[string]Value{"x-customer": {Text: "api"}, "x-a": {Text: "api"}}, Remove: []Name{{Text: "cookie"}}},
		Response: Change{Remove: []Name{{Text: "server"}, {Text: "x-b"}}},
	}
	route := &Headers{
		Request:  Change{Set: map[string]Value{"X-A": {Text: "route"}}},
		Response: Change{Set: map[string]Value{"X-B": {Text: "route"}}},
	}
	got := route.Over(api)
	if set := got.Request.Set; len(set) != 2 || set["x-customer"].Text != "api" || set["X-A"].Text != "route" {
		t.Errorf("request set: %v", slices.Sorted(maps.Keys(set)))
	}
	if len(got.Request.Remove) != 1 || len(got.Response.Remove) != 1 || got.Response.Remove[0].Text != "server" || got.Response.Set["X-B"].Text != "route" {
		t.Errorf("got %+v", got)
	}
	if (*Headers)(nil).Over(api) != api || route.Over(nil) != route {
		t.Error("nil")
	}
}

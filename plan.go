package gatehouse

import (
	"maps"
	"slices"
	"strings"
)

// Change is what happens to one route between two configurations.
type Change struct {
	Kind       string   `json:"change"` // "added", "removed" or "changed"
	API        string   `json:"api"`
	Stage      string   `json:"stage"`
	Route      string   `json:"route"`
	Conditions string   `json:"conditions,omitempty"` // that narrow the route
	Sections   []string `json:"sections,omitempty"`   // what is changed
	At         string   `json:"at,omitempty"`
}

// Plan says what would change by route from one table to another, in the
// order of API, stage and route.
func Plan(before, after []RouteInfo) []Change {
	old := byRoute(before)
	now := byRoute(after)
	out := []Change{}
	for _, key := range slices.Sorted(maps.Keys(now)) {
		r := now[key]
		was, existed := old[key]
		if !existed {
			out = append(out, r.change("added", nil))
			continue
		}
		if sections := differing(was.Digests, r.Digests); len(sections) > 0 {
			out = append(out, r.change("changed", sections))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(old)) {
		if _, stays := now[key]; !stays {
			out = append(out, old[key].change("removed", nil))
		}
	}
	return out
}

func (r RouteInfo) change(kind string, sections []string) Change {
	return Change{Kind: kind, API: r.API, Stage: r.Stage, Route: r.Route, Conditions: r.Conditions, Sections: sections, At: r.At}
}

func byRoute(routes []RouteInfo) map[string]RouteInfo {
	out := make(map[string]RouteInfo, len(routes))
	for _, r := range routes {
		out[strings.Join([]string{r.API, r.Stage, r.Route, r.Conditions}, "\x00")] = r
	}
	return out
}

func differing(a, b map[string]string) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if a[name] != b[name] {
			out = append(out, name)
		}
	}
	return out
}
